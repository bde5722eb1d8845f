import { newReplicaState, type Ports } from '../../src/app/replica-state';
import { composeUseCases, type UseCases } from '../../src/app/use-cases';
import type { AttachmentType } from '../../src/core/domain/attachment';
import type { DomainEventType } from '../../src/core/domain/domain-event';
import type { Quota } from '../../src/core/domain/quota';
import { versionAt } from '../../src/core/domain/version';
import type { AttachmentCache } from '../../src/core/ports/attachment-cache';
import type { AttachmentJournal } from '../../src/core/ports/attachment-journal';
import type { AttachmentStore } from '../../src/core/ports/attachment-store';
import type { CacheEpoch } from '../../src/core/ports/cache-epoch';
import { Clock } from '../../src/core/ports/clock';
import { IdSource } from '../../src/core/ports/id-source';
import { TRACING_OFF } from '../../src/core/ports/tracing';
import { Metrics } from '../../src/core/ports/metrics';
import type { Outbox } from '../../src/core/ports/outbox';
import { StoreError } from '../../src/core/ports/store-error';
import { CoreSettings } from '../../src/core/ports/core-settings';
import type { CreateAttachmentCommand } from '../../src/core/use-cases/attachments/create-attachment';
import type { ListAttachmentsCommand } from '../../src/core/use-cases/attachments/list-attachments';
import { MemoryAttachmentCache } from '../../src/outbound/memory/memory-attachment-cache';
import { MemoryAttachmentStore } from '../../src/outbound/memory/memory-attachment-store';
import { MemoryDatabase } from '../../src/outbound/memory/memory-database';
import { MemoryDueTaskStore } from '../../src/outbound/memory/memory-due-task-store';
import { MemoryEventBus } from '../../src/outbound/memory/memory-event-bus';
import { MemoryExpiredAttachmentStore } from '../../src/outbound/memory/memory-expired-attachment-store';
import { MemoryOutbox } from '../../src/outbound/memory/memory-outbox';
import { MemoryStoreServer } from '../../src/outbound/memory/memory-store-server';
import { MemoryTaskStore } from '../../src/outbound/memory/memory-task-store';
import { NoAttachmentJournal } from '../../src/outbound/memory/no-attachment-journal';
import { CacheModel } from './cache-model/cache-model';
import { ModelAttachmentCache } from './cache-model/model-attachment-cache';
import { ModelAttachmentJournal } from './cache-model/model-attachment-journal';
import { ModelEpoch } from './cache-model/model-epoch';

export const START_MS = Date.UTC(2026, 0, 1);
export const CALLER = { organization: 'default', name: 'instance-1' };
export const FOREIGN_CALLER = { organization: 'acme', name: 'instance-9' };

class ManualClock extends Clock {
  private ms = START_MS;
  private readonly timers = new Set<{ readonly dueMs: number; readonly run: () => void }>();

  nowMs(): number {
    return this.ms;
  }

  monotonicMs(): number {
    return this.ms;
  }

  sleep(ms: number): Promise<void> {
    this.advance(ms);
    return Promise.resolve();
  }

  after(ms: number, run: () => void): () => void {
    const timer = { dueMs: this.ms + ms, run };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  advance(ms: number): void {
    this.ms += ms;
    for (const timer of this.timers) {
      if (timer.dueMs > this.ms) continue;
      this.timers.delete(timer);
      timer.run();
    }
  }
}

class CountingIds extends IdSource {
  private count = 0;

  op(): string {
    return `00000000-0000-4000-8000-${String(++this.count).padStart(12, '0')}`;
  }

  suffix(): string {
    return (++this.count).toString(36).padStart(9, '0');
  }

  randomInt(): number {
    return 0;
  }
}

class CountingMetrics extends Metrics {
  hits = 0;
  misses = 0;
  lists = 0;
  readonly created: AttachmentType[] = [];
  readonly published: DomainEventType[] = [];
  publishFailures = 0;
  isPublisher?: boolean;
  backlog?: { count: number; oldestAgeMs: number };
  journaled?: { waiting: number; deadLetters: number };

  cacheHits(count: number): void {
    this.hits += count;
  }

  cacheMisses(count: number): void {
    this.misses += count;
  }

  listQuery(): void {
    this.lists += 1;
  }

  attachmentCreated(type: AttachmentType): void {
    this.created.push(type);
  }

  eventPublished(type: DomainEventType): void {
    this.published.push(type);
  }

  publishingFailed(): void {
    this.publishFailures += 1;
  }

  publisher(isPublisher: boolean): void {
    this.isPublisher = isPublisher;
  }

  journalBacklog(backlog: { waiting: number; deadLetters: number }): void {
    this.journaled = backlog;
  }

  outboxBacklog(backlog: { count: number; oldestAgeMs: number }): void {
    this.backlog = backlog;
  }
}

/** A server that can be taken away, and the calls that have reached it. */
export class Outage {
  readonly calls: string[] = [];
  fails?: StoreError['outcome'];

  constructor(private readonly store: StoreError['store']) {}

  /** The adapter, until it is out: then every call fails. */
  breakable<T extends object>(adapter: T): T {
    return new Proxy(adapter, {
      get: (target, name) => {
        const method = Reflect.get(target, name) as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          this.calls.push(String(name));
          if (this.fails) return Promise.reject(new StoreError(this.store, this.fails));
          return method.apply(target, args);
        };
      },
    });
  }
}

const HOUR_MS = 3_600_000;
export const RETENTION_MS = 24 * HOUR_MS;
const SKEW_MS = 100;

/** Every use case on the memory adapters, as one replica. */
export class Fixture {
  readonly clock = new ManualClock();
  readonly ids = new CountingIds();
  readonly metrics = new CountingMetrics();
  readonly settings = new CoreSettings('instance-1', 1000, HOUR_MS, RETENTION_MS);
  readonly database = new MemoryDatabase(this.clock);
  /** None at first. */
  readonly quotas = new Map<string, Quota>();
  readonly postgres = new Outage('postgres');
  readonly redis = new Outage('redis');
  readonly store: AttachmentStore = this.postgres.breakable(new MemoryAttachmentStore(this.database));
  readonly outbox: Outbox = this.postgres.breakable(new MemoryOutbox(this.database, this.clock));
  private readonly opened = this.openCache();
  readonly cache: AttachmentCache = this.redis.breakable(this.opened.cache);
  readonly journal: AttachmentJournal = this.redis.breakable(this.opened.journal);

  readonly ports: Ports = {
    store: this.store,
    tasks: this.postgres.breakable(new MemoryTaskStore(this.database)),
    cache: this.cache,
    cacheEpoch: this.opened.cacheEpoch,
    journal: this.journal,
    server: new MemoryStoreServer(this.database),
    expired: this.postgres.breakable(new MemoryExpiredAttachmentStore(this.database)),
    dueTasks: this.postgres.breakable(new MemoryDueTaskStore(this.database)),
    outbox: this.outbox,
    bus: new MemoryEventBus(),
    clock: this.clock,
    ids: this.ids,
    metrics: this.metrics,
    settings: this.settings,
    quotas: { of: (organization) => this.quotas.get(organization) ?? {} },
    tracing: TRACING_OFF,
  };
  readonly state = newReplicaState(this.ports);
  readonly useCases: UseCases = composeUseCases(this.ports, { state: this.state });

  protected openCache(): { cache: AttachmentCache; cacheEpoch: CacheEpoch; journal: AttachmentJournal } {
    const options = { ttlMs: HOUR_MS, maxTasks: 1000, maxBytes: 2 ** 24, isStoreShared: false };
    const cache = new MemoryAttachmentCache(this.clock, options);
    cache.use(this.database.history.epoch);
    return { cache, cacheEpoch: cache, journal: new NoAttachmentJournal() };
  }

  /** Creates a task, and lets pass what its cached state takes to accept newer changes. */
  async task(id: string, members: { parentId?: string; ttlSeconds?: number } = {}, caller = CALLER): Promise<void> {
    await this.useCases.createTask.execute({ id, text: `task ${id}`, ...members }, caller);
    this.clock.advance(1000);
  }

  async text(taskId: string, key: string, content: string, more: Partial<CreateAttachmentCommand> = {}) {
    const command = { taskId, key, type: 'text' as const, content, condition: undefined, ...more };
    return this.useCases.createAttachment.execute(command, CALLER);
  }

  list(taskId: string, more: Partial<ListAttachmentsCommand> = {}, caller = CALLER) {
    const defaults = { keyPrefix: '', limit: 50, offset: 0, descending: false, includeBodies: true };
    return this.useCases.listAttachments.execute({ taskId, ...defaults, ...more }, caller);
  }

  /** From now on the calls show which store answers. */
  forgetCalls(): void {
    this.postgres.calls.length = 0;
    this.redis.calls.length = 0;
  }
}

/** With a cache that has a journal. */
export class JournalingFixture extends Fixture {
  protected override openCache() {
    const { clock } = this;
    const model = new CacheModel({
      ttlMs: HOUR_MS,
      skewMs: SKEW_MS,
      nowMs: () => clock.nowMs(),
      newFloor: () => versionAt(clock.nowMs() + SKEW_MS),
    });
    const epoch = new ModelEpoch(model);
    model.enter({ ...this.database.history.identity(), ended: new Set() }, 'unknown');
    epoch.use(this.database.history.epoch);
    const cache = new ModelAttachmentCache(model, epoch);
    return { cache, cacheEpoch: epoch, journal: new ModelAttachmentJournal(model, epoch) };
  }
}
