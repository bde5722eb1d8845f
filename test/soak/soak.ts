import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../faults/client';
import { violations } from '../faults/history-checker';
import { disagreements, evidenceOf, expectedEvents, falseAnswers, untilCaughtUp } from '../faults/outcome';
import { StoredTruth } from '../faults/stored-truth';
import { Random } from '../simulation/random';
import { METHODS } from '../../src/inbound/methods/method-descriptions';
import { until } from '../support/poll';
import { CHECKED_ORGANIZATION, Credentials, ORGANIZATIONS } from './credentials';
import type { Surroundings } from './customer';
import { Deployment } from './deployment';
import { Follower } from './follower';
import { digestOf, Ledger } from './ledger';
import { headersOf, Load } from './load';
import { growthProblems, sampleMemory, type MemorySample } from './memory';
import { NatsCaller } from './nats-caller';
import { Observation } from './observation';
import { EVENING, EVENTS, MORNING, untilWhole, type Phase, type Stage } from './phases';
import type { SoakReport } from './report';
import { StoredEvents } from './stored-events';
import { Witness } from './witness';

/** One round in so many minutes: longer runs have more rounds, and longer phases only within a round. */
const MINUTES_OF_ROUND = 5;
/** Far longer than promised, for a busy machine. */
const AGREED_AFTER_MS = 60_000;
/** How many answers a phase has at least, however short it is. */
const ANSWERS_IN_PHASE = 60;
const FOREIGN = { organization: 'globex', id: 'foreign', key: 'secret' };
const SHOWN_PROBLEMS = 20;

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  /** Is told of what happens. */
  readonly say: (line: string) => void;
}

/** A deployment in use, from its start to the comparison of all that it has acknowledged with what is there. */
export class Soak {
  private readonly beganAtMs = performance.now();
  private readonly closing: { close(): Promise<unknown> | void }[] = [];
  private readonly witness = new Witness();
  private readonly ledger = new Ledger();
  private readonly credentials = new Credentials();
  /** The tasks of the checked workload, by round. */
  private readonly checkedTasks: (readonly string[])[] = [];
  private readonly memory: { readonly before: MemorySample[]; readonly after: MemorySample[] } = {
    before: [],
    after: [],
  };
  private readonly rounds: number;
  private readonly phaseMs: number;
  private readonly random: Random;
  private deployment!: Deployment;
  private observation!: Observation;
  private events!: StoredEvents;
  private around!: Surroundings;
  private checkedFollower!: Follower;
  private followers: readonly Follower[] = [];
  private writesBefore = 0;
  private checks = 0;
  private alerts: SoakReport['alerts'] = {};

  constructor(private readonly options: SoakOptions) {
    this.rounds = Math.max(1, Math.floor(options.minutes / MINUTES_OF_ROUND));
    const phases = MORNING.length + this.rounds * (EVENTS.length + 1);
    this.phaseMs = (options.minutes * 60_000) / phases;
    this.random = new Random(options.seed);
    this.closing.push({ close: () => this.credentials.remove() });
  }

  /** Throws if the servers or the replicas do not start. */
  async start(): Promise<void> {
    const keep = <T extends { close(): Promise<unknown> | void }>(one: T) => (this.closing.push(one), one);
    const { witness, credentials, ledger } = this;
    this.deployment = keep(await Deployment.start(credentials));
    const { replicas, nats } = this.deployment;
    await untilWhole(this.deployment);
    this.observation = await Observation.start(this.deployment);
    keep({ close: () => this.observation.stop() });
    this.events = keep(await StoredEvents.open(nats.url));
    const client = new Client({
      headersOf: (caller) => headersOf({ credentials }, caller),
      observe: (seen) => witness.sawHttp(seen),
    });
    this.around = {
      replicas,
      client,
      nats: keep(await NatsCaller.open(nats.url, witness)),
      credentials,
      ledger,
      witness,
    };
    await this.prepareTasks();
    this.startFollowers();
  }

  /** Everything that happens. What is found is in the report; an error that is thrown is the end of it all. */
  async run(): Promise<void> {
    await this.round('morning', MORNING);
    for (const replica of this.deployment.replicas) this.memory.before.push(await sampleMemory(replica));
    this.writesBefore = this.writes;
    for (let i = 1; i <= this.rounds; i++) await this.round(`round-${i}`, [...this.shuffled(EVENTS), EVENING]);
    for (const replica of this.deployment.replicas) this.memory.after.push(await sampleMemory(replica));
    await this.checkAll();
  }

  /** Of all that has happened up to now. */
  report(): SoakReport {
    const { witness, memory, options, deployment, ledger } = this;
    return {
      ...options,
      seconds: (performance.now() - this.beganAtMs) / 1000,
      tallies: witness.tallies,
      results: witness.results,
      memory,
      writes: this.writes - this.writesBefore,
      tasks: ledger.size + this.checkedTasks.flat().length,
      checks: this.checks,
      events: this.events?.count ?? 0,
      followed: [this.checkedFollower, ...this.followers]
        .filter(Boolean)
        .map(({ count, connections }) => ({ count, connections })),
      hasPrometheus: this.observation?.hasPrometheus ?? false,
      alerts: this.alerts,
      logs: deployment?.replicas.map(({ name, service }) => ({ name, lines: service.logLines })) ?? [],
      problems: witness.problems,
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.checkedFollower, ...this.followers].filter(Boolean).map((follower) => follower.stop()));
    for (const one of this.closing.splice(0).reverse()) await one.close();
  }

  note(problem: string, sample?: string): void {
    this.witness.note(problem, sample);
  }

  /** A part of the outbox that is to be purged, and a task that no caller of another organisation may see. */
  private async prepareTasks(): Promise<void> {
    const [replica] = this.deployment.replicas;
    const { service } = replica as Deployment['replicas'][number];
    const { organization, id, key } = FOREIGN;
    const headers = this.credentials.keyOf(organization, 'admin');
    const value = { type: 'json', value: 'not for others' };
    for (const taskId of [id, this.deployment.agedTask]) {
      await service.result('task.create', { id: taskId, text: 'x', priority: 1 }, headers);
      await service.result('task.create_attachment', { taskId, key, ...value }, headers);
      this.ledger.add(organization, taskId, 1).attachments.set(key, digestOf(value));
    }
    const gone = { taskId: this.deployment.agedTask, key: 'gone' };
    await service.result('task.create_attachment', { ...gone, ...value }, headers);
    await service.result('task.delete_attachment', gone, headers);
    await this.untilPublished();
  }

  private startFollowers(): void {
    const { replicas } = this.deployment;
    this.checkedFollower = new Follower(replicas, () => this.credentials.tokenOf(undefined), this.witness);
    this.followers = ORGANIZATIONS.map(
      (organization) => new Follower(replicas, () => this.credentials.keyOf(organization, 'read'), this.witness),
    );
    for (const follower of [this.checkedFollower, ...this.followers]) follower.start();
  }

  /** One load, through phases; at the end nothing calls, and all that the load has done is compared. */
  private async round(name: string, phases: readonly Phase[]): Promise<void> {
    const seed = this.random.int(2 ** 31);
    const load = new Load({ name, seed, foreignTask: FOREIGN.id }, this.around);
    const firstTask = this.ledger.size;
    await this.checkedFollower.hasBegun();
    this.witness.begin('start of a round');
    await load.start();
    try {
      let calmFromMs: number | undefined = performance.now();
      for (const phase of phases) {
        if (phase.excuses?.mayBeStale && calmFromMs !== undefined) {
          load.isCalmFrom(calmFromMs, performance.now());
          calmFromMs = undefined;
        }
        if (phase === EVENING && calmFromMs === undefined) {
          await untilCaughtUp(this.deployment, performance.now() + AGREED_AFTER_MS);
          calmFromMs = performance.now();
        }
        await this.phase(phase, load);
      }
      if (calmFromMs !== undefined) load.isCalmFrom(calmFromMs);
    } finally {
      await load.stop();
    }
    this.witness.begin('check');
    this.say(`check of ${name}`);
    await this.check(load, firstTask);
    this.checkedTasks.push(load.workload.taskIds);
  }

  private async phase({ name, excuses, run }: Phase, load: Load): Promise<void> {
    this.witness.begin(name, excuses);
    const { answers } = this.witness.tallyOf(name);
    this.say(name);
    const say = (what: string) => this.say(`  ${what}`);
    const work = (share: number) => this.work(share, load);
    await run({ deployment: this.deployment, credentials: this.credentials, say, work } satisfies Stage);
    this.say(`  ${this.witness.tallyOf(name).answers - answers} answers`);
  }

  private async work(share: number, { workload }: Load): Promise<void> {
    const enough = workload.answers + ANSWERS_IN_PHASE * share;
    // A soak lasts as long as it is told to.
    await sleep(this.phaseMs * share);
    await until(`${ANSWERS_IN_PHASE} answers`, () => workload.answers >= enough, AGREED_AFTER_MS);
    await this.observation.look();
  }

  /** Compares all that was acknowledged, stored, announced and is answered. */
  private async check(load: Load, firstTask: number): Promise<void> {
    const { deployment, witness, credentials } = this;
    await untilWhole(this.deployment);
    await untilCaughtUp(deployment, performance.now() + AGREED_AFTER_MS);
    const { taskIds } = load.workload;
    const truth = await StoredTruth.open(deployment);
    try {
      const found = [
        ...(await disagreements(truth, taskIds, AGREED_AFTER_MS)).map((one) => `the stores disagree: ${one}`),
        ...(await this.falseAnswers(truth, taskIds)),
      ];
      const evidence = await evidenceOf(truth, taskIds, this.events);
      found.push(...violations(load.history, evidence));
      found.push(...(await this.unfollowed(expectedEvents(evidence))));
      for (const replica of deployment.replicas) {
        const keyOf = (organization: string) => credentials.keyOf(organization, 'admin');
        found.push(...(await this.ledger.problems(replica, keyOf, firstTask)));
        if (replica.hasCrashed) found.push(`${replica.name} has crashed`);
      }
      for (const problem of found.slice(0, SHOWN_PROBLEMS)) witness.note(problem);
      if (found.length > SHOWN_PROBLEMS) witness.note(`and ${found.length - SHOWN_PROBLEMS} more like these`);
      const { attempts, reads, taskAttempts } = load.history;
      this.checks += attempts.length + reads.length + taskAttempts.length;
    } finally {
      await truth.close();
    }
  }

  /** The tasks of all rounds once more: what was deleted in the first one is gone in the last one. */
  private async checkAll(): Promise<void> {
    this.say('check of all rounds');
    const { deployment, credentials } = this;
    const truth = await StoredTruth.open(deployment);
    try {
      for (const taskIds of this.checkedTasks) {
        for (const problem of await this.falseAnswers(truth, taskIds)) this.note(problem);
      }
    } finally {
      await truth.close();
    }
    const keyOf = (organization: string) => credentials.keyOf(organization, 'admin');
    for (const replica of deployment.replicas)
      for (const problem of await this.ledger.problems(replica, keyOf)) this.note(problem);
    this.memory.before.forEach((before, i) => {
      const after = this.memory.after[i] as MemorySample;
      for (const problem of growthProblems(before, after, this.writes - this.writesBefore)) this.note(problem);
    });
    for (const problem of await this.observation.problems()) this.note(problem);
    for (const method of this.unusedMethods()) this.note(`the load has had no result of ${method}`);
    this.alerts = await this.observation.alerts();
  }

  private async falseAnswers(truth: StoredTruth, taskIds: readonly string[]): Promise<string[]> {
    const headers = await this.credentials.tokenOf(undefined);
    const problems: string[] = [];
    for (const replica of this.deployment.replicas)
      problems.push(...(await falseAnswers(replica, truth, taskIds, headers)));
    return problems;
  }

  /** What the follower of `GET /events` has not been told of. */
  private async unfollowed(ids: readonly string[]): Promise<string[]> {
    const isComplete = () => this.checkedFollower.missing(ids).length === 0;
    await until('the follower has all events', isComplete).catch(() => undefined);
    return this.checkedFollower.missing(ids).map((id) => `GET /events has not shown ${id} to ${CHECKED_ORGANIZATION}`);
  }

  private unusedMethods(): string[] {
    const ways = [...METHODS.flatMap(({ name }) => [`${name} HTTP`, `${name} NATS`]), 'DELETE REST'];
    return ways.filter((way) => !this.witness.results.has(way));
  }

  /** How many attachments were written or deleted, as far as their callers know. */
  private get writes(): number {
    const counts = [...this.witness.results].map(([way, count]) =>
      /^task\.(?:create|delete)_attachment /.test(way) ? count : 0,
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  private async untilPublished(): Promise<void> {
    const truth = await StoredTruth.open(this.deployment);
    const { agedTask } = this.deployment;
    try {
      await until('the first events are published', async () => {
        const { outbox, taskEvents } = await truth.ofPostgres([agedTask]);
        return [...outbox, ...taskEvents].every(({ published }) => published);
      });
    } finally {
      await truth.close();
    }
  }

  private shuffled<T>(items: readonly T[]): T[] {
    const left = [...items];
    return items.map(() => left.splice(this.random.int(left.length), 1)[0] as T);
  }

  private say(line: string): void {
    const seconds = Math.round((performance.now() - this.beganAtMs) / 1000);
    this.options.say(`${String(seconds).padStart(5)} s  ${line}`);
  }
}
