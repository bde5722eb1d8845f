import { AttachmentFactory } from '../core/consistency/attachment-factory';
import { AttachmentLookup } from '../core/consistency/attachment-lookup';
import { AttachmentWriter } from '../core/consistency/attachment-writer';
import { QuotaKeeper } from '../core/quotas/quota-keeper';
import { TreeRemover } from '../core/consistency/tree-remover';
import type { AttachmentCache } from '../core/ports/attachment-cache';
import type { AttachmentStore } from '../core/ports/attachment-store';
import type { StoreError } from '../core/ports/store-error';
import type { TaskStore } from '../core/ports/task-store';
import type { Ports, ReplicaState } from './replica-state';

/** The port as the method is to use it. */
export type WithBreaker = <Port extends object>(store: StoreError['store'], method: string, port: Port) => Port;

/** What use cases are made of; `method` is the one whose breakers they pass. Work in the background has none. */
export class Composition {
  readonly factory: AttachmentFactory;

  constructor(
    readonly ports: Ports,
    private readonly withBreaker: WithBreaker,
    readonly state: ReplicaState,
  ) {
    this.factory = new AttachmentFactory(ports.ids, ports.settings);
  }

  store(method?: string): AttachmentStore {
    return this.breakable('postgres', method, this.ports.store);
  }

  tasks(method: string): TaskStore {
    return this.breakable('postgres', method, this.ports.tasks);
  }

  cache(method?: string): AttachmentCache {
    return this.breakable('redis', method, this.ports.cache);
  }

  lookup(method?: string): AttachmentLookup {
    const { clock, metrics } = this.ports;
    return new AttachmentLookup(this.store(method), this.cache(method), clock, metrics, this.state.acknowledged);
  }

  writer(method?: string): AttachmentWriter {
    const { clock, ids, journal } = this.ports;
    const { acknowledged, backlog } = this.state;
    const [store, cache] = [this.store(method), this.cache(method)];
    return new AttachmentWriter(
      store,
      cache,
      this.breakable('redis', method, journal),
      clock,
      ids,
      acknowledged,
      backlog,
    );
  }

  quota(method: string): QuotaKeeper {
    const { quotas, clock } = this.ports;
    return new QuotaKeeper(quotas, this.state.usage, this.tasks(method), this.store(method), clock);
  }

  treeRemover(tasks: TaskStore, cache: AttachmentCache): TreeRemover {
    const { outbox, clock, ids, settings } = this.ports;
    return new TreeRemover(tasks, cache, outbox, clock, ids, settings, this.state.acknowledged);
  }

  private breakable<Port extends object>(store: StoreError['store'], method: string | undefined, port: Port): Port {
    return method === undefined ? port : this.withBreaker(store, method, port);
  }
}
