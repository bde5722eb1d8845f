import type { AttachmentCache } from '../../src/core/ports/attachment-cache';
import type {
  AttachmentJournal,
  DrainDelay,
  DrainOutcome,
  JournaledWrite,
} from '../../src/core/ports/attachment-journal';
import type { AttachmentStore } from '../../src/core/ports/attachment-store';
import { CACHE_TIMEOUT_MS, OPERATION_TIMEOUT_MS } from '../../src/core/ports/time-limits';
import type { EventBus } from '../../src/core/ports/event-bus';
import type { ExpiredAttachmentStore } from '../../src/core/ports/expired-attachment-store';
import { Metrics } from '../../src/core/ports/metrics';
import type { Outbox } from '../../src/core/ports/outbox';
import { StoreError } from '../../src/core/ports/store-error';
import type { TaskStore } from '../../src/core/ports/task-store';
import { CoreSettings } from '../../src/core/ports/core-settings';
import { composeUseCases, type Ports, type ReplicaState, type UseCases } from '../../src/app/use-cases';
import { AcknowledgedChanges } from '../../src/core/consistency/acknowledged-changes';
import { CacheTrust } from '../../src/core/consistency/cache-trust';
import { IndexFiller } from '../../src/core/consistency/index-filler';
import { JournalBacklog } from '../../src/core/consistency/journal-backlog';
import { ModelAttachmentCache } from '../support/cache-model/model-attachment-cache';
import { ModelAttachmentJournal } from '../support/cache-model/model-attachment-journal';
import { BusError } from './bus-error';
import { Connection, type CallWitness } from './connection';
import type { History } from './history';
import type { Plan, ServerName } from './plan';
import { ProjectionTurns } from './projection-turns';
import type { Random } from './random';
import type { SimulatedBus, SimulatedPostgres, SimulatedRedis } from './servers';
import type { Timeline } from './timeline';
import { VirtualClock, type CountingIdSource } from './virtual-clock';

const MAX_ATTACHMENT_BYTES = 1000;
const PUBLISH_TIMEOUT_MS = 2000;
/** A transaction that stays open for long holds back only the projection and the publisher. */
const LONG_TRANSACTION_MS = 4000;
/** So small that a fill of a few attachments can meet a fault half-way. */
const FILL_CHUNK_SIZE = 1;
/** So small that a tree takes several steps. */
const STEP_SIZE = 2;
/** So short that the background and a call meet. */
const UNFINISHED_AFTER_MS = 300;
/** Between two runs of a job, about. */
const TICK_MS = { drain: 400, project: 350, publish: 600, sweep: 1000, deletions: 150 };

export interface Surroundings {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly plan: Plan;
  readonly ids: CountingIdSource;
  readonly history: History;
  readonly postgres: SimulatedPostgres;
  readonly redis: SimulatedRedis;
  readonly bus: SimulatedBus;
  readonly trace?: (line: string) => void;
}

class NoMetrics extends Metrics {
  override cacheHits(): void {}
  override cacheMisses(): void {}
  override listQuery(): void {}
  override attachmentCreated(): void {}
  override eventPublished(): void {}
  override outboxBacklog(): void {}
  override journalBacklog(): void {}
}

const METRICS = new NoMetrics();
const NOBODY: CallWitness = { answered: () => undefined, failed: () => undefined };

/** One process of the service, from its start to its end, and all that it remembers. */
export class Replica {
  readonly name: string;
  readonly clock: VirtualClock;
  readonly turns: ProjectionTurns;
  isAlive = true;
  private readonly state: ReplicaState;
  private readonly settings: CoreSettings;
  private readonly connections: Record<ServerName, Connection>;
  private readonly cache: ModelAttachmentCache;
  private readonly journal: ModelAttachmentJournal;
  /** Of the command that is taking effect. */
  private generation = 0;

  constructor(
    private readonly around: Surroundings,
    readonly place: number,
    incarnation: number,
  ) {
    const { timeline, plan, redis, postgres } = around;
    this.name = `r${place + 1}${"'".repeat(incarnation)}`;
    this.clock = new VirtualClock(timeline, plan.skewsMs[place] as number, plan.clockStepMs);
    this.settings = new CoreSettings(this.name, MAX_ATTACHMENT_BYTES, redis.cacheTtlMs);
    this.connections = { postgres: this.connect('postgres'), redis: this.connect('redis'), nats: this.connect('nats') };
    const positions = { cursor: () => redis.model.cursor ?? 0, horizon: () => postgres.database.xmax };
    this.turns = new ProjectionTurns(positions, () => timeline.nowMs);
    this.cache = new ModelAttachmentCache(redis.model, () => this.generation);
    this.journal = new ModelAttachmentJournal(redis.model, () => this.generation);
    this.state = this.newState(plan.scenario.memorySize);
    this.startJobs();
  }

  connection(server: ServerName): Connection {
    return this.connections[server];
  }

  crash(): void {
    this.isAlive = false;
    for (const connection of Object.values(this.connections)) connection.die();
  }

  /** Made anew for each operation, so that every call can be told to the operation it belongs to. */
  useCases(witness: CallWitness): UseCases {
    return composeUseCases(this.ports(witness), { state: this.state });
  }

  private newState(memorySize?: number): ReplicaState {
    const trust = new CacheTrust();
    const [store, cache] = [this.attachmentStore(NOBODY), this.attachmentCache(NOBODY)];
    return {
      trust,
      acknowledged: new AcknowledgedChanges(trust, memorySize),
      filler: new IndexFiller(store, cache, this.clock, FILL_CHUNK_SIZE),
      backlog: new JournalBacklog(),
    };
  }

  private ports(witness: CallWitness): Ports {
    return {
      store: this.attachmentStore(witness),
      tasks: this.taskStore(witness),
      cache: this.attachmentCache(witness),
      journal: this.attachmentJournal(witness),
      expired: this.expiredStore(witness),
      outbox: this.outbox(witness),
      bus: this.eventBus(witness),
      clock: this.clock,
      ids: this.around.ids,
      metrics: METRICS,
      settings: this.settings,
    };
  }

  private startJobs(): void {
    const { turns } = this;
    const { drainJournal, publishEvents, sweepExpired, continueDeletions } = this.useCases(NOBODY);
    const { projectChanges } = this.useCases(turns);
    this.repeat(TICK_MS.drain, () => drainJournal.execute());
    this.repeat(TICK_MS.project, () => projectChanges.execute().finally(() => turns.ended()));
    this.repeat(TICK_MS.publish, () => publishEvents.execute());
    this.repeat(TICK_MS.deletions, () => continueDeletions.execute());
    this.repeat(TICK_MS.sweep, () => sweepExpired.execute());
  }

  private repeat(tickMs: number, job: () => Promise<unknown>): void {
    const { timeline, random, history } = this.around;
    const again = () => timeline.after(Math.ceil(tickMs / 2) + random.int(tickMs), run);
    const run = () => {
      if (!this.isAlive) return;
      job().then(again, (error: unknown) => {
        history.jobFailed(this.name, error);
        again();
      });
    };
    again();
  }

  private connect(server: ServerName): Connection {
    const { timeline, random, plan, trace } = this.around;
    return new Connection(
      timeline,
      random,
      plan.weather,
      {
        name: this.name,
        server,
        isOrdered: server === 'redis',
        failure: (failure) => (server === 'nats' ? new BusError() : new StoreError(server, failure)),
      },
      trace,
    );
  }

  private attachmentStore(witness: CallWitness): AttachmentStore {
    const { postgres, plan, random } = this.around;
    const store = postgres.attachments;
    return {
      put: (put, organization, condition, nowMs, timeoutMs) =>
        this.write(`put ${stampOf(put.attachment)}`, witness, timeoutMs, () =>
          store.put(put, organization, condition, nowMs),
        ),
      delete: (deletion, organization, condition, nowMs, timeoutMs) =>
        this.write(`delete ${stampOf({ ...deletion, ...deletion.stamp })}`, witness, timeoutMs, () =>
          store.delete(deletion, organization, condition, nowMs),
        ),
      drain: (writes) => {
        const operations = writes.map(authorOf);
        const isRefused = plan.operations.some((one) => one.isRefused && operations.includes(`op${one.id}`));
        const isLocked = random.chance(plan.scenario.lockedShare ?? 0);
        const isTaskLocked = random.chance(plan.scenario.lockedShare ?? 0);
        const failure = isLocked ? 'busy' : isRefused ? 'refused' : undefined;
        return this.write(`drain of ${operations.join()}`, witness, OPERATION_TIMEOUT_MS, () => {
          if (failure) return Promise.reject(new StoreError('postgres', failure));
          return isTaskLocked ? drainWithout(taskOf(writes[0]), writes, store) : store.drain(writes);
        });
      },
      find: (refs, organization, nowMs, timeoutMs) =>
        this.query(`find ${refs.map(({ key }) => key).join()}`, witness, timeoutMs, () =>
          store.find(refs, organization, nowMs),
        ),
      list: (query, timeoutMs) => this.query('list', witness, timeoutMs, () => store.list(query)),
      outlines: (taskId, organization, nowMs, timeoutMs) =>
        this.query('outlines', witness, timeoutMs, () => store.outlines(taskId, organization, nowMs)),
    };
  }

  private taskStore(witness: CallWitness): Pick<TaskStore, SimulatedTaskMethod> & TaskStore {
    const { tasks } = this.around.postgres;
    const port = {
      insert: (...[task, attachments, event, timeoutMs]: Parameters<TaskStore['insert']>) =>
        this.write(`insert ${task.id}`, witness, timeoutMs, () => tasks.insert(task, attachments, event)),
      repeated: (...[task, attachments, timeoutMs]: Parameters<TaskStore['repeated']>) =>
        this.query(`repeated ${task.id}`, witness, timeoutMs, () => tasks.repeated(task, attachments)),
      hasResult: (...[taskId, organization, result, timeoutMs]: Parameters<TaskStore['hasResult']>) =>
        this.query('has result', witness, timeoutMs, () => tasks.hasResult(taskId, organization, result)),
      get: (...[taskId, organization, nowMs, timeoutMs]: Parameters<TaskStore['get']>) =>
        this.query('get task', witness, timeoutMs, () => tasks.get(taskId, organization, nowMs)),
      update: (...[task, event, attachment, timeoutMs]: Parameters<TaskStore['update']>) =>
        this.write(`update ${task.id}`, witness, timeoutMs, () => tasks.update(task, event, attachment)),
      deleteTree: (...[tree, describe, _limit, timeoutMs]: Parameters<TaskStore['deleteTree']>) =>
        this.write(`delete ${tree.taskId}`, witness, timeoutMs, () =>
          tasks.deleteTree(tree, describe, STEP_SIZE, timeoutMs),
        ),
      unfinishedDeletions: (_beforeMs: number, limit: number) =>
        this.query('unfinished deletions', witness, OPERATION_TIMEOUT_MS, () =>
          tasks.unfinishedDeletions(UNFINISHED_AFTER_MS, limit),
        ),
    };
    return port as typeof port & TaskStore;
  }

  private attachmentCache(witness: CallWitness): AttachmentCache {
    const { cache } = this;
    const { history, redis } = this.around;
    return {
      read: (refs, organization) => this.command('read', witness, () => cache.read(refs, organization)),
      readTask: (taskId) => this.command('readTask', witness, () => cache.readTask(taskId)),
      readPage: (request) => this.command('readPage', witness, () => cache.readPage(request)),
      apply: (change) =>
        this.command(
          `apply ${stampOf({ ...change, ...change.stamp })}`,
          witness,
          () => cache.apply(change),
          () => history.applied(change, redis.model),
        ),
      wipe: (taskId, version) =>
        this.command(
          `wipe ${taskId}`,
          witness,
          () => cache.wipe(taskId, version),
          () => history.wiped(taskId, redis.model),
        ),
      fill: (fills) =>
        this.command(
          `fill ${fills.map(fillOf).join(', ')}`,
          witness,
          () => cache.fill(fills),
          () => fills.forEach(({ taskId }) => history.redisChanged(taskId, redis.model)),
        ),
      cursors: () => this.command('cursors', witness, () => cache.cursors()),
      project: (cursor, changes, to) =>
        this.command(
          `project ${cursor.position} to ${to}`,
          witness,
          () => cache.project(cursor, changes, to),
          () => history.projected(redis.model),
        ),
    };
  }

  private attachmentJournal(witness: CallWitness): AttachmentJournal {
    const { journal } = this;
    const { history, redis, plan } = this.around;
    return {
      append: (write, nowMs) => {
        const stamped = 'put' in write ? write.put.attachment : { ...write.deletion, ...write.deletion.stamp };
        return this.command(
          `append ${stampOf(stamped)}`,
          witness,
          () => journal.append(write, nowMs),
          ({ state }) => state === 'journaled' && history.journaled(write, redis.model),
        );
      },
      oldest: () =>
        this.command('oldest', witness, async () => {
          const parts = await journal.oldest();
          return parts.map((entries) => entries.slice(0, plan.batchSize));
        }),
      settle: (settled) =>
        this.command(
          `settle ${settled.map(({ entry, outcome }) => `${entry.op.slice(-4)} ${outcome.state}`).join()}`,
          witness,
          () => journal.settle(settled),
          (taken) => {
            const gone = settled.slice(0, taken).filter(({ outcome }) => outcome.state !== 'postponed');
            for (const { entry, outcome } of gone) history.settled(entry, outcome.state, redis.model);
          },
        ),
      backlog: () => this.command('backlog', witness, () => journal.backlog()),
    };
  }

  private outbox(witness: CallWitness): Outbox {
    const { postgres, plan } = this.around;
    const { outbox } = postgres;
    const few = (limit: number) => Math.min(limit, plan.batchSize);
    const query = <T>(method: string, ask: () => Promise<T>) => this.query(method, witness, OPERATION_TIMEOUT_MS, ask);
    const port = {
      unpublished: (limit: number) =>
        query('unpublished', () =>
          postgres.isPublisher(this.name) ? outbox.unpublished(few(limit)) : Promise.resolve(undefined),
        ),
      standDown: () => query('stand down', () => Promise.resolve(postgres.standDown(this.name))).catch(() => undefined),
      markPublished: (events: Parameters<Outbox['markPublished']>[0]) =>
        query('markPublished', () => outbox.markPublished(events)),
      changes: (from: number | undefined, limit: number, lookBackMs: number) =>
        query(`changes from ${from}`, () => outbox.changes(from, few(limit), lookBackMs)),
    };
    return port as typeof port & Outbox;
  }

  private expiredStore(witness: CallWitness): ExpiredAttachmentStore {
    const { expired } = this.around.postgres;
    const port = {
      find: (nowMs: number, limit: number) =>
        this.query('find expired', witness, OPERATION_TIMEOUT_MS, () => expired.find(nowMs, limit)),
      remove: (one: Parameters<ExpiredAttachmentStore['remove']>[0]) =>
        this.write(`expire ${stampOf(one)}`, witness, OPERATION_TIMEOUT_MS, () => expired.remove(one)),
    };
    return port as typeof port & ExpiredAttachmentStore;
  }

  private eventBus(witness: CallWitness): EventBus {
    const { bus } = this.around;
    return {
      publish: (event) =>
        this.connections.nats.send(
          { method: `publish ${event.metadata.eventId.slice(-4)}`, timeoutMs: PUBLISH_TIMEOUT_MS, witness },
          () => bus.publish(event),
        ),
    };
  }

  /** `note` is told of what has been done. */
  private command<T>(
    method: string,
    witness: CallWitness,
    effect: () => Promise<T>,
    note?: (reply: T) => unknown,
  ): Promise<T> {
    const { redis } = this.around;
    return this.connections.redis.send({ method, timeoutMs: CACHE_TIMEOUT_MS, witness }, async (generation) => {
      this.generation = generation;
      const reply = await redis.serve(this.place, effect);
      note?.(reply);
      return reply;
    });
  }

  private query<T>(method: string, witness: CallWitness, timeoutMs: number, effect: () => Promise<T>): Promise<T> {
    return this.connections.postgres.send({ method, timeoutMs, witness }, effect);
  }

  private write<T>(method: string, witness: CallWitness, timeoutMs: number, effect: () => Promise<T>): Promise<T> {
    const { postgres, random, plan } = this.around;
    const isLong = random.chance(plan.scenario.longTransactionShare ?? 0);
    const workMs = random.int(isLong ? LONG_TRANSACTION_MS : 6);
    const options = { method, timeoutMs, workMs, witness };
    return this.connections.postgres.send(options, () => postgres.transaction(workMs, effect));
  }
}

type SimulatedTaskMethod =
  'insert' | 'repeated' | 'get' | 'hasResult' | 'update' | 'deleteTree' | 'unfinishedDeletions';

function stampOf({ taskId, key, version, op }: { taskId: string; key: string; version: number; op: string }): string {
  return `${taskId}/${key} ${version} ${op.slice(-4)}`;
}

function fillOf({ taskId, attachments, complete, token }: Parameters<AttachmentCache['fill']>[0][number]): string {
  return `${taskId} [${attachments.map(({ key, version }) => `${key} ${version}`).join(', ')}] ${complete ? 'complete ' : ''}under ${token.floor}`;
}

function authorOf(write: JournaledWrite): string {
  return String('put' in write ? write.put.attachment.createdBy : write.deletion.event.metadata.deletedBy);
}

function taskOf(write: JournaledWrite | undefined): string | undefined {
  if (!write) return undefined;
  return 'put' in write ? write.put.attachment.taskId : write.deletion.taskId;
}

/** As a store does that finds a task locked: the writes to the others are applied. */
async function drainWithout(locked: string | undefined, writes: readonly JournaledWrite[], store: AttachmentStore) {
  const free = writes.filter((write) => taskOf(write) !== locked);
  const outcomes = (await store.drain(free)).values();
  return writes.map((write): DrainOutcome | DrainDelay =>
    taskOf(write) === locked ? { state: 'busy' } : (outcomes.next().value as DrainOutcome),
  );
}
