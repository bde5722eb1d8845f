import type { AttachmentType } from '../../src/core/domain/attachment';
import type { DomainEventType } from '../../src/core/domain/domain-event';
import { versionAt } from '../../src/core/domain/version';
import type { AttachmentCache } from '../../src/core/ports/attachment-cache';
import type { AttachmentJournal } from '../../src/core/ports/attachment-journal';
import type { AttachmentStore } from '../../src/core/ports/attachment-store';
import { Clock } from '../../src/core/ports/clock';
import { IdSource } from '../../src/core/ports/id-source';
import { Metrics } from '../../src/core/ports/metrics';
import type { Outbox } from '../../src/core/ports/outbox';
import { StoreError } from '../../src/core/ports/store-error';
import type { TaskStore } from '../../src/core/ports/task-store';
import { CoreSettings } from '../../src/core/ports/core-settings';
import { AttachmentLookup } from '../../src/core/consistency/attachment-lookup';
import { AttachmentWriter } from '../../src/core/consistency/attachment-writer';
import { CancelTask } from '../../src/core/use-cases/tasks/cancel-task';
import { CompleteTask } from '../../src/core/use-cases/tasks/complete-task';
import { ConvertRetiredData } from '../../src/core/use-cases/upkeep/convert-retired-data';
import { CorrectedList } from '../../src/core/consistency/corrected-list';
import { CreateAttachment, type CreateAttachmentCommand } from '../../src/core/use-cases/attachments/create-attachment';
import { CreateTask } from '../../src/core/use-cases/tasks/create-task';
import { DeleteAttachment } from '../../src/core/use-cases/attachments/delete-attachment';
import { DeleteTask } from '../../src/core/use-cases/tasks/delete-task';
import { DrainJournal } from '../../src/core/use-cases/upkeep/drain-journal';
import { GetAttachment } from '../../src/core/use-cases/attachments/get-attachment';
import { GetAttachmentsBatch } from '../../src/core/use-cases/attachments/get-attachments-batch';
import { GetTask } from '../../src/core/use-cases/tasks/get-task';
import { IndexFiller } from '../../src/core/consistency/index-filler';
import { ListAttachments, type ListAttachmentsCommand } from '../../src/core/use-cases/attachments/list-attachments';
import { ListTasks } from '../../src/core/use-cases/tasks/list-tasks';
import { ProjectChanges } from '../../src/core/use-cases/upkeep/project-changes';
import { ReplicaMemory } from '../../src/core/consistency/replica-memory';
import { UpdateTask } from '../../src/core/use-cases/tasks/update-task';
import { MemoryAttachmentCache } from '../../src/outbound/memory/memory-attachment-cache';
import { MemoryAttachmentStore } from '../../src/outbound/memory/memory-attachment-store';
import { MemoryDatabase } from '../../src/outbound/memory/memory-database';
import { MemoryOutbox } from '../../src/outbound/memory/memory-outbox';
import { MemoryTaskStore } from '../../src/outbound/memory/memory-task-store';
import { NoAttachmentJournal } from '../../src/outbound/memory/no-attachment-journal';
import { CacheModel } from './cache-model/cache-model';
import { ModelAttachmentCache } from './cache-model/model-attachment-cache';
import { ModelAttachmentJournal } from './cache-model/model-attachment-journal';

export const START_MS = Date.UTC(2026, 0, 1);
export const CALLER = { organization: 'default', name: 'instance-1' };
export const FOREIGN_CALLER = { organization: 'acme', name: 'instance-9' };

class ManualClock extends Clock {
  private ms = START_MS;

  nowMs(): number {
    return this.ms;
  }

  monotonicMs(): number {
    return this.ms;
  }

  sleep(ms: number): Promise<void> {
    this.ms += ms;
    return Promise.resolve();
  }

  advance(ms: number): void {
    this.ms += ms;
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
  guard<T extends object>(adapter: T): T {
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
const SKEW_MS = 100;

/** Every use case on the memory adapters. */
export class Fixture {
  readonly clock = new ManualClock();
  readonly ids = new CountingIds();
  readonly metrics = new CountingMetrics();
  readonly settings = new CoreSettings('instance-1', 1000);
  readonly database = new MemoryDatabase();
  readonly postgres = new Outage('postgres');
  readonly redis = new Outage('redis');
  readonly memory = new ReplicaMemory();
  readonly store: AttachmentStore = this.postgres.guard(new MemoryAttachmentStore(this.database));
  readonly tasks: TaskStore = this.postgres.guard(new MemoryTaskStore(this.database));
  readonly outbox: Outbox = this.postgres.guard(new MemoryOutbox(this.database, this.clock));
  private readonly opened = this.openCache();
  readonly cache: AttachmentCache = this.redis.guard(this.opened.cache);
  readonly journal: AttachmentJournal = this.redis.guard(this.opened.journal);

  readonly lookup = new AttachmentLookup(this.store, this.cache, this.clock, this.metrics, this.memory);
  readonly writer = new AttachmentWriter(this.store, this.cache, this.journal, this.clock, this.ids, this.memory);
  readonly filler = new IndexFiller(this.store, this.cache, this.clock);
  readonly createAttachment = new CreateAttachment(this.writer, this.ids, this.metrics, this.settings);
  readonly getAttachment = new GetAttachment(this.lookup);
  readonly getAttachmentsBatch = new GetAttachmentsBatch(this.lookup);
  readonly listAttachments = new ListAttachments(
    this.store,
    this.cache,
    this.lookup,
    this.clock,
    this.metrics,
    this.filler,
    new CorrectedList(this.store, this.cache, this.lookup, this.memory),
    this.memory,
  );
  readonly deleteAttachment = new DeleteAttachment(this.store, this.writer, this.lookup, this.clock, this.ids);
  readonly createTask = new CreateTask(
    this.tasks,
    this.cache,
    this.clock,
    this.ids,
    this.metrics,
    this.settings,
    this.memory,
  );
  readonly getTask = new GetTask(this.tasks, this.clock);
  readonly updateTask = new UpdateTask(this.tasks, this.clock, this.ids);
  readonly completeTask = new CompleteTask(this.tasks, this.writer, this.clock, this.ids, this.metrics, this.settings);
  readonly cancelTask = new CancelTask(this.tasks, this.clock, this.ids);
  readonly listTasks = new ListTasks(this.tasks, this.clock);
  readonly convertRetiredData = new ConvertRetiredData(
    this.tasks,
    this.createAttachment,
    this.clock,
    this.ids,
    this.settings,
  );
  readonly deleteTask = new DeleteTask(this.tasks, this.cache, this.clock, this.ids, this.settings, this.memory);
  readonly drainJournal = new DrainJournal(this.journal, this.store);
  readonly projectChanges = new ProjectChanges(this.cache, this.outbox, this.memory, this.clock, HOUR_MS);

  protected openCache(): { cache: AttachmentCache; journal: AttachmentJournal } {
    const options = { ttlMs: HOUR_MS, maxTasks: 1000, maxBytes: 2 ** 24, isStoreShared: false };
    return { cache: new MemoryAttachmentCache(this.clock, options), journal: new NoAttachmentJournal() };
  }

  /** Creates a task, and lets pass what its cached state takes to accept newer changes. */
  async task(id: string, members: { parentId?: string } = {}, caller = CALLER): Promise<void> {
    await this.createTask.execute({ id, text: `task ${id}`, ...members }, caller);
    this.clock.advance(1000);
  }

  async text(taskId: string, key: string, content: string, more: Partial<CreateAttachmentCommand> = {}) {
    const command = { taskId, key, type: 'text' as const, content, condition: undefined, ...more };
    return this.createAttachment.execute(command, CALLER);
  }

  list(taskId: string, more: Partial<ListAttachmentsCommand> = {}, caller = CALLER) {
    const defaults = { keyPrefix: '', limit: 50, offset: 0, descending: false, includeBodies: true };
    return this.listAttachments.execute({ taskId, ...defaults, ...more }, caller);
  }

  /** Where the next answer comes from: what has been called until then does not count. */
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
    return { cache: new ModelAttachmentCache(model), journal: new ModelAttachmentJournal(model) };
  }
}
