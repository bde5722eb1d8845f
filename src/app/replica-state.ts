import { getHeapStatistics } from 'node:v8';
import type { AttachmentCache } from '../core/ports/attachment-cache';
import type { AttachmentJournal } from '../core/ports/attachment-journal';
import type { AttachmentStore } from '../core/ports/attachment-store';
import type { CacheEpoch } from '../core/ports/cache-epoch';
import type { Clock } from '../core/ports/clock';
import type { CoreSettings } from '../core/ports/core-settings';
import type { DueTaskStore } from '../core/ports/due-task-store';
import type { EventBus } from '../core/ports/event-bus';
import type { ExpiredAttachmentStore } from '../core/ports/expired-attachment-store';
import type { IdSource } from '../core/ports/id-source';
import type { Metrics } from '../core/ports/metrics';
import type { Outbox } from '../core/ports/outbox';
import type { Quotas } from '../core/ports/quotas';
import type { StoreServer } from '../core/ports/store-server';
import type { TaskStore } from '../core/ports/task-store';
import type { Tracing } from '../core/ports/tracing';
import { AcknowledgedChanges } from '../core/consistency/acknowledged-changes';
import { CacheTrust } from '../core/consistency/cache-trust';
import { EpochWatch, type OnStanding } from '../core/consistency/epoch-watch';
import { IndexFiller } from '../core/consistency/index-filler';
import { JournalBacklog } from '../core/consistency/journal-backlog';
import { UsageByOrganization } from '../core/quotas/usage-by-organization';

/** One adapter for each port. */
export interface Ports {
  readonly store: AttachmentStore;
  readonly tasks: TaskStore;
  readonly cache: AttachmentCache;
  readonly cacheEpoch: CacheEpoch;
  readonly journal: AttachmentJournal;
  readonly server: StoreServer;
  readonly expired: ExpiredAttachmentStore;
  readonly dueTasks: DueTaskStore;
  readonly outbox: Outbox;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly metrics: Metrics;
  readonly settings: CoreSettings;
  readonly quotas: Quotas;
  readonly tracing: Tracing;
}

/** One that is alone in its task and its organisation takes about a kilobyte: all of them a sixteenth of the heap. */
const MAX_ACKNOWLEDGED_CHANGES = Math.min(100_000, Math.floor(getHeapStatistics().heap_size_limit / 16 / 1024));

/** What a replica keeps from one call to the next. */
export interface ReplicaState {
  readonly trust: CacheTrust;
  readonly acknowledged: AcknowledgedChanges;
  readonly filler: IndexFiller;
  readonly epochs: EpochWatch;
  readonly backlog: JournalBacklog;
  readonly usage: UsageByOrganization;
}

interface StateOptions {
  readonly onStanding?: OnStanding;
  readonly maxChanges?: number;
  readonly fillChunkSize?: number;
  /** By which the replica finds out to which database Redis belongs. */
  readonly watchedCache?: AttachmentCache;
}

export function newReplicaState(
  ports: Ports,
  { onStanding, maxChanges = MAX_ACKNOWLEDGED_CHANGES, fillChunkSize, watchedCache = ports.cache }: StateOptions = {},
): ReplicaState {
  const { store, cache, cacheEpoch, server, clock } = ports;
  const trust = new CacheTrust();
  const acknowledged = new AcknowledgedChanges(trust, maxChanges);
  return {
    trust,
    acknowledged,
    filler: new IndexFiller(store, cache, clock, fillChunkSize),
    backlog: new JournalBacklog(),
    usage: new UsageByOrganization(clock),
    epochs: new EpochWatch(watchedCache, cacheEpoch, server, acknowledged, onStanding),
  };
}
