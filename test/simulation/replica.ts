import type { AttachmentCache } from '../../src/core/ports/attachment-cache';
import type {
  AttachmentJournal,
  DrainDelay,
  DrainOutcome,
  JournaledWrite,
} from '../../src/core/ports/attachment-journal';
import type { AttachmentStore, PutOutcome } from '../../src/core/ports/attachment-store';
import { CACHE_TIMEOUT_MS, OPERATION_TIMEOUT_MS } from '../../src/core/ports/time-limits';
import type { StoreIdentity } from '../../src/core/ports/store-identity';
import type { StoreServer } from '../../src/core/ports/store-server';
import { NO_QUOTAS } from '../../src/core/ports/quotas';
import type { DueTaskStore } from '../../src/core/ports/due-task-store';
import type { EventBus } from '../../src/core/ports/event-bus';
import type { ExpiredAttachmentStore } from '../../src/core/ports/expired-attachment-store';
import { Metrics } from '../../src/core/ports/metrics';
import type { Outbox } from '../../src/core/ports/outbox';
import { StoreError } from '../../src/core/ports/store-error';
import type { TaskStore } from '../../src/core/ports/task-store';
import { TRACING_OFF } from '../../src/core/ports/tracing';
import { CoreSettings } from '../../src/core/ports/core-settings';
import { newReplicaState, type Ports, type ReplicaState } from '../../src/app/replica-state';
import { composeUseCases, type UseCases } from '../../src/app/use-cases';
import type { Standing } from '../../src/core/consistency/epoch-watch';
import type { PlainPut } from '../../src/outbound/postgres/put-group';
import { PutGroups, type GroupedOutcome, type PutStatements } from '../../src/outbound/postgres/put-groups';
import { ModelAttachmentCache } from '../support/cache-model/model-attachment-cache';
import { ModelAttachmentJournal } from '../support/cache-model/model-attachment-journal';
import { BusError } from './bus-error';
import { Connection, type CallOptions, type CallWitness } from './connection';
import type { History } from './history';
import type { Plan, ServerName } from './plan';
import { ProjectionTurns } from './projection-turns';
import type { Random } from './random';
import type { SimulatedCluster } from './simulated-cluster';
import { SimulatedEpoch } from './simulated-epoch';
import type { SimulatedPostgres } from './simulated-postgres';
import type { SimulatedBus, SimulatedRedis } from './servers';
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
/** So few that puts of a replica often share one. */
const PUTS_UNDER_WAY = { statements: 1, few: 1 };
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
  override publishingFailed(): void {}
  override publisher(): void {}
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
  private readonly epoch: SimulatedEpoch;
  private readonly groups: PutGroups;
  /** Whose sessions are open; undefined: the stores are not used. */
  private used?: StoreIdentity;
  private isTurning = true;
  /** The database whose epoch this replica was at home in when a turn of its projection ended. */
  private settledIn?: number;

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
    const positions = {
      cursor: () => redis.model.cursor ?? 0,
      horizon: () => postgres.database.xmax,
      epoch: () => postgres.epoch,
    };
    this.turns = new ProjectionTurns(positions, () => timeline.nowMs);
    this.epoch = new SimulatedEpoch(redis.model);
    this.cache = new ModelAttachmentCache(redis.model, this.epoch, postgres.addressOf(place));
    this.journal = new ModelAttachmentJournal(redis.model, this.epoch);
    const after = (ms: number, run: () => void) => this.after(ms, run);
    const timer = { nowMs: () => timeline.nowMs, after, next: (run: () => void) => void after(0, run) };
    this.groups = new PutGroups(this.putStatements(), timer, PUTS_UNDER_WAY);
    this.state = this.newState(plan.scenario.memorySize);
    this.startJobs();
  }

  connection(server: ServerName): Connection {
    return this.connections[server];
  }

  /** Whether store and cache have been found to belong together. */
  get standing(): Standing {
    return this.state.epochs.current;
  }

  /** Whether the replica has had the time to notice that the database was replaced. */
  get isSettled(): boolean {
    return this.settledIn === this.around.history.replacements;
  }

  /** Whether Redis carries out its commands. */
  get usesPresentCache(): boolean {
    return this.epoch.name !== undefined && this.around.redis.model.isIn(this.epoch.name);
  }

  /** The database has been replaced. */
  startAnew(): void {
    this.turns.startAnew();
    this.isTurning = true;
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
    return newReplicaState(this.ports(NOBODY), {
      onStanding: (standing) => this.around.trace?.(`${this.name} is ${standing}`),
      maxChanges: memorySize,
      fillChunkSize: FILL_CHUNK_SIZE,
      watchedCache: this.attachmentCache(this.turns),
    });
  }

  private ports(witness: CallWitness): Ports {
    return {
      store: this.attachmentStore(witness),
      tasks: this.taskStore(witness),
      cache: this.attachmentCache(witness),
      cacheEpoch: this.epoch,
      journal: this.attachmentJournal(witness),
      server: this.storeServer(),
      expired: this.expiredStore(witness),
      dueTasks: this.dueTaskStore(witness),
      outbox: this.outbox(witness),
      bus: this.eventBus(witness),
      clock: this.clock,
      ids: this.around.ids,
      metrics: METRICS,
      settings: this.settings,
      quotas: NO_QUOTAS,
      tracing: TRACING_OFF,
    };
  }

  private startJobs(): void {
    const { turns } = this;
    const { drainJournal, publishEvents, sweepExpired, continueDeletions } = this.useCases(NOBODY);
    const { projectChanges } = this.useCases(turns);
    this.repeat(TICK_MS.drain, () => drainJournal.execute());
    const project = () => {
      this.isTurning = false;
      return projectChanges.execute().finally(() => {
        turns.ended();
        this.settle();
      });
    };
    // A replica that starts finds its place first of all.
    project().then(
      () => this.repeat(TICK_MS.project, project),
      () => this.repeat(TICK_MS.project, project),
    );
    this.repeat(TICK_MS.publish, () => publishEvents.execute());
    this.repeat(TICK_MS.deletions, () => continueDeletions.execute());
    this.repeat(TICK_MS.sweep, () => sweepExpired.execute());
  }

  /** A turn that began before the database was replaced tells nothing. */
  private settle(): void {
    const { history, postgres } = this.around;
    const isPresent = this.epoch.name === postgres.epoch;
    const isHome = ['home', 'replaced'].includes(this.standing);
    if (isHome && isPresent && !this.isTurning) this.settledIn = history.replacements;
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
    const { plan, random } = this.around;
    return {
      put: (put, organization, condition, nowMs, timeoutMs) => {
        const method = `put ${stampOf(put.attachment)}`;
        if (!condition && !put.over) {
          return this.told(method, witness, this.groups.write({ put, organization, nowMs }, timeoutMs));
        }
        return this.write(method, witness, timeoutMs, (here) =>
          here.attachments.put(put, organization, condition, nowMs),
        );
      },
      delete: (deletion, organization, condition, nowMs, timeoutMs) =>
        this.write(`delete ${stampOf({ ...deletion, ...deletion.stamp })}`, witness, timeoutMs, (here) =>
          here.attachments.delete(deletion, organization, condition, nowMs),
        ),
      drain: (writes) => {
        const operations = writes.map(authorOf);
        const isRefused = plan.operations.some((one) => one.isRefused && operations.includes(`op${one.id}`));
        const isLocked = random.chance(plan.scenario.lockedShare ?? 0);
        const isTaskLocked = random.chance(plan.scenario.lockedShare ?? 0);
        const failure = isLocked ? 'busy' : isRefused ? 'refused' : undefined;
        return this.write(`drain of ${operations.join()}`, witness, OPERATION_TIMEOUT_MS, ({ attachments: store }) => {
          if (failure) return Promise.reject(new StoreError('postgres', failure));
          return isTaskLocked ? drainWithout(taskOf(writes[0]), writes, store) : store.drain(writes);
        });
      },
      find: (refs, organization, nowMs, timeoutMs) =>
        this.query(`find ${refs.map(({ key }) => key).join()}`, witness, timeoutMs, (here) =>
          here.attachments.find(refs, organization, nowMs),
        ),
      list: (query, timeoutMs) => this.query('list', witness, timeoutMs, (here) => here.attachments.list(query)),
      outlines: (query, timeoutMs) =>
        this.query('outlines', witness, timeoutMs, (here) => here.attachments.outlines(query)),
    };
  }

  /** What the groups of PostgreSQL's adapter ask for. A group is one transaction. */
  private putStatements(): PutStatements {
    const { plan, random } = this.around;
    const isLocked = () => random.chance(plan.scenario.lockedShare ?? 0);
    return {
      alone: (one, timeoutMs) =>
        this.write(`put ${stampOf(one.put.attachment)}`, NOBODY, timeoutMs, (here) => put(one, here)),
      together: (puts, timeoutMs, waits) => {
        const held = !waits && isLocked() ? puts[0]?.put.attachment.taskId : undefined;
        const leftOut = isLocked() ? puts.at(-1) : undefined;
        const state = !waits && random.chance(0.5) ? 'key-held' : 'left-out';
        const isRefused = isLocked();
        const method = `puts ${puts.map((one) => stampOf(one.put.attachment)).join(', ')}`;
        return this.write(method, NOBODY, timeoutMs, (here) => {
          if (isRefused) return Promise.reject(new StoreError('postgres', 'refused'));
          const outcomes = puts.map((one): Promise<GroupedOutcome> => {
            if (one.put.attachment.taskId === held) return Promise.resolve({ state: 'task-held' });
            return one === leftOut ? Promise.resolve({ state }) : put(one, here);
          });
          return Promise.all(outcomes);
        });
      },
      waitedInVain: () => new StoreError('postgres', 'timeout'),
    };
  }

  /** The witness of a call that others share is told of its own outcome. */
  private async told<T>(method: string, witness: CallWitness, outcome: Promise<T>): Promise<T> {
    const { timeline } = this.around;
    const sentAtMs = timeline.nowMs;
    const call = () => ({ server: 'postgres', method, tookMs: timeline.nowMs - sentAtMs });
    try {
      const value = await outcome;
      witness.answered(call(), value);
      return value;
    } catch (error) {
      const isTimeout = error instanceof StoreError && error.outcome === 'timeout';
      witness.failed(call(), isTimeout ? 'timeout' : 'unavailable');
      throw error;
    }
  }

  /** Unless the process is no more by then. Returns what cancels it. */
  private after(ms: number, run: () => void): () => void {
    let isDue = true;
    this.around.timeline.after(ms, () => isDue && this.isAlive && run());
    return () => {
      isDue = false;
    };
  }

  private taskStore(witness: CallWitness): Pick<TaskStore, SimulatedTaskMethod> & TaskStore {
    const port = {
      insert: (...[task, attachments, event, timeoutMs]: Parameters<TaskStore['insert']>) =>
        this.write(`insert ${task.id}`, witness, timeoutMs, (here) => here.tasks.insert(task, attachments, event)),
      repeated: (...[task, attachments, timeoutMs]: Parameters<TaskStore['repeated']>) =>
        this.query(`repeated ${task.id}`, witness, timeoutMs, (here) => here.tasks.repeated(task, attachments)),
      hasResult: (...[taskId, organization, result, timeoutMs]: Parameters<TaskStore['hasResult']>) =>
        this.query('has result', witness, timeoutMs, (here) => here.tasks.hasResult(taskId, organization, result)),
      get: (...[taskId, organization, nowMs, timeoutMs]: Parameters<TaskStore['get']>) =>
        this.query('get task', witness, timeoutMs, (here) => here.tasks.get(taskId, organization, nowMs)),
      update: (...[task, event, attachment, timeoutMs]: Parameters<TaskStore['update']>) =>
        this.write(`update ${task.id}`, witness, timeoutMs, (here) => here.tasks.update(task, event, attachment)),
      deleteTree: (...[tree, describe, _limit, timeoutMs]: Parameters<TaskStore['deleteTree']>) =>
        this.write(`delete ${tree.taskId}`, witness, timeoutMs, (here) =>
          here.tasks.deleteTree(tree, describe, STEP_SIZE, timeoutMs),
        ),
      unfinishedDeletions: (_beforeMs: number, limit: number) =>
        this.query('unfinished deletions', witness, OPERATION_TIMEOUT_MS, (here) =>
          here.tasks.unfinishedDeletions(UNFINISHED_AFTER_MS, limit),
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
      enter: (parts, claim) => this.command(`enter ${claim.epoch}`, witness, () => cache.enter(parts, claim)),
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
    const { plan } = this.around;
    const few = (limit: number) => Math.min(limit, plan.batchSize);
    const query = <T>(method: string, ask: Effect<T>) => this.query(method, witness, OPERATION_TIMEOUT_MS, ask);
    const port = {
      unpublished: (limit: number) =>
        query('unpublished', (here) =>
          here.isPublisher(this.name) ? here.outbox.unpublished(few(limit)) : Promise.resolve(undefined),
        ),
      standDown: () => query('stand down', (here) => Promise.resolve(here.standDown(this.name))).catch(() => undefined),
      markPublished: (events: Parameters<Outbox['markPublished']>[0]) =>
        query('markPublished', (here) => here.outbox.markPublished(events)),
      changes: (from: number | undefined, limit: number, lookBackMs: number) =>
        this.look(`changes from ${from}`, witness, (here) => here.outbox.changes(from, few(limit), lookBackMs)),
      horizon: (timeoutMs: number) => this.query('horizon', witness, timeoutMs, (here) => here.outbox.horizon()),
    };
    return port as typeof port & Outbox;
  }

  private expiredStore(witness: CallWitness): ExpiredAttachmentStore {
    const port = {
      find: (nowMs: number, limit: number) =>
        this.query('find expired', witness, OPERATION_TIMEOUT_MS, (here) => here.expired.find(nowMs, limit)),
      remove: (expired: Parameters<ExpiredAttachmentStore['remove']>[0]) =>
        this.write(`expire ${expired.map(stampOf).join()}`, witness, OPERATION_TIMEOUT_MS, (here) =>
          here.expired.remove(expired),
        ),
    };
    return port as typeof port & ExpiredAttachmentStore;
  }

  private dueTaskStore(witness: CallWitness): DueTaskStore {
    return {
      expired: (nowMs, limit) =>
        this.query('expired tasks', witness, OPERATION_TIMEOUT_MS, (here) => here.dueTasks.expired(nowMs, limit)),
      finished: (beforeMs, after, limit) =>
        this.query('finished tasks', witness, OPERATION_TIMEOUT_MS, (here) =>
          here.dueTasks.finished(beforeMs, after, limit),
        ),
      takeTurn: (lengthMs) =>
        this.write('take turn', witness, OPERATION_TIMEOUT_MS, (here) => here.dueTasks.takeTurn(lengthMs)),
    };
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

  private storeServer(): StoreServer {
    const port = {
      look: () => this.look('look', NOBODY, ({ server }) => server.look()),
      beginEpoch: (after: string) => this.look('begin epoch', NOBODY, ({ server }) => server.beginEpoch(after)),
      use: (identity: StoreIdentity | undefined) => {
        this.used = identity;
      },
    };
    return port;
  }

  private get cluster() {
    return this.around.postgres.of(this.place);
  }

  /** `note` is told of what has been done. */
  private command<T>(
    method: string,
    witness: CallWitness,
    effect: () => Promise<T>,
    note?: (reply: T) => unknown,
  ): Promise<T> {
    const { redis } = this.around;
    const sent = this.epoch.sent();
    // The owner is not asked for in an epoch.
    const isFree = method === 'cursors' || method.startsWith('enter');
    if (sent.epoch === undefined && !isFree) return this.refused('redis', method, witness);
    return this.connections.redis.send({ method, timeoutMs: CACHE_TIMEOUT_MS, witness }, async (generation) => {
      this.epoch.take(sent, generation);
      const reply = await redis.serve(this.place, effect);
      note?.(reply);
      return reply;
    });
  }

  /** Reaches any server. */
  private look<T>(method: string, witness: CallWitness, effect: Effect<T>): Promise<T> {
    const options = { method, timeoutMs: OPERATION_TIMEOUT_MS, witness };
    return this.connections.postgres.send(options, () => effect(this.cluster));
  }

  private query<T>(method: string, witness: CallWitness, timeoutMs: number, effect: Effect<T>): Promise<T> {
    return this.inSession({ method, timeoutMs, witness }, effect);
  }

  private write<T>(method: string, witness: CallWitness, timeoutMs: number, effect: Effect<T>): Promise<T> {
    const { random, plan } = this.around;
    const isLong = random.chance(plan.scenario.longTransactionShare ?? 0);
    const workMs = random.int(isLong ? LONG_TRANSACTION_MS : 6);
    return this.inSession({ method, timeoutMs, workMs, witness }, (here) =>
      here.transaction(workMs, () => effect(here)),
    );
  }

  /** A reply that the session does not pass on has not been given. */
  private inSession<T>(options: CallOptions, effect: Effect<T>): Promise<T> {
    return this.told(options.method, options.witness, this.askInSession({ ...options, witness: NOBODY }, effect));
  }

  /** As a session does that was opened to the server in use: it reaches no other one. */
  private async askInSession<T>(options: CallOptions, effect: Effect<T>): Promise<T> {
    const { used } = this;
    if (!used) throw new StoreError('postgres', 'unavailable');
    let session: SimulatedCluster | undefined;
    const reply = await this.connections.postgres.send(options, async () => {
      const { cluster } = this;
      session = cluster;
      if (!isRun(cluster, used)) throw new StoreError('postgres', 'unavailable');
      const answer = await effect(cluster);
      // The session ends with the server.
      if (!isRun(cluster, used)) throw new StoreError('postgres', 'timeout');
      return answer;
    });
    const isInUse = this.used?.server === used.server && this.used?.run === used.run;
    if (isInUse && session && isRun(session, used)) return reply;
    throw new StoreError('postgres', 'timeout');
  }

  private refused(server: 'postgres' | 'redis', method: string, witness: CallWitness): Promise<never> {
    witness.failed({ server, method, tookMs: 0 }, 'unavailable');
    return Promise.reject(new StoreError(server, 'unavailable'));
  }
}

type Effect<T> = (here: SimulatedCluster) => Promise<T>;
type SimulatedTaskMethod =
  'insert' | 'repeated' | 'get' | 'hasResult' | 'update' | 'deleteTree' | 'unfinishedDeletions';

function isRun({ database }: SimulatedCluster, { server, run }: StoreIdentity): boolean {
  return database.history.server === server && String(database.history.run) === run;
}

function stampOf({ taskId, key, version, op }: { taskId: string; key: string; version: number; op: string }): string {
  return `${taskId}/${key} ${version} ${op.slice(-4)}`;
}

function fillOf({ taskId, attachments, complete, token }: Parameters<AttachmentCache['fill']>[0][number]): string {
  return `${taskId} [${attachments.map(({ key, version }) => `${key} ${version}`).join(', ')}] ${complete ? 'complete ' : ''}under ${token.floor}`;
}

function authorOf(write: JournaledWrite): string {
  return String('put' in write ? write.put.attachment.createdBy : write.deletion.event.metadata.deletedBy);
}

function put({ put, organization, nowMs }: PlainPut, here: SimulatedCluster): Promise<PutOutcome> {
  const outcome = here.attachments.put(put, organization, undefined, nowMs);
  here.step();
  return outcome;
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
