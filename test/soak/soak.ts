import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../faults/client';
import { untilCaughtUp } from '../faults/outcome';
import { StoredTruth } from '../faults/stored-truth';
import { Random } from '../simulation/random';
import { METHODS } from '../../src/inbound/methods/method-descriptions';
import { until } from '../support/poll';
import { AGREED_AFTER_MS, Comparison } from './comparison';
import { Credentials, ORGANIZATIONS } from './credentials';
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
  private comparison!: Comparison;
  private around!: Surroundings;
  private followers: readonly Follower[] = [];
  private writesBefore = 0;
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
    const follower = this.startFollowers();
    this.comparison = new Comparison(this.deployment, this.around, this.events, follower);
    await follower.hasBegun();
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
    const { witness, memory, options, deployment, ledger, comparison } = this;
    return {
      ...options,
      seconds: (performance.now() - this.beganAtMs) / 1000,
      tallies: witness.tallies,
      results: witness.results,
      memory,
      writes: this.writes - this.writesBefore,
      tasks: ledger.size + (comparison?.tasks ?? 0),
      checks: comparison?.calls ?? 0,
      events: this.events?.count ?? 0,
      followed: this.followers.map(({ count, connections }) => ({ count, connections })),
      hasPrometheus: this.observation?.hasPrometheus ?? false,
      alerts: this.alerts,
      logs: deployment?.replicas.map(({ name, service }) => ({ name, lines: service.logLines })) ?? [],
      problems: witness.problems,
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.followers.map((follower) => follower.stop()));
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

  /** Of each organisation; the first one is that of the checked workload. */
  private startFollowers(): Follower {
    const { replicas } = this.deployment;
    const ofTokens = new Follower(replicas, () => this.credentials.tokenOf(undefined), this.witness);
    const ofKeys = ORGANIZATIONS.map(
      (organization) => new Follower(replicas, () => this.credentials.keyOf(organization, 'read'), this.witness),
    );
    this.followers = [ofTokens, ...ofKeys];
    for (const follower of this.followers) follower.start();
    return ofTokens;
  }

  /** One load, through phases; at the end nothing calls, and all that the load has done is compared. */
  private async round(name: string, phases: readonly Phase[]): Promise<void> {
    const seed = this.random.int(2 ** 31);
    const load = new Load({ name, seed, foreignTask: FOREIGN.id }, this.around);
    const firstTask = this.ledger.size;
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
    this.noteAll(await this.comparison.problemsOfRound(load, firstTask));
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

  /** Everything that can be said at the end only. */
  private async checkAll(): Promise<void> {
    this.say('check of all rounds');
    this.noteAll(await this.comparison.problemsOfAll());
    this.memory.before.forEach((before, i) => {
      this.noteAll(growthProblems(before, this.memory.after[i] as MemorySample, this.writes - this.writesBefore));
    });
    this.noteAll(await this.observation.problems());
    for (const method of this.unusedMethods()) this.note(`the load has had no result of ${method}`);
    this.alerts = await this.observation.alerts();
  }

  /** The first of them, and how many more there are. */
  private noteAll(problems: readonly string[]): void {
    for (const problem of problems.slice(0, SHOWN_PROBLEMS)) this.note(problem);
    if (problems.length > SHOWN_PROBLEMS) this.note(`and ${problems.length - SHOWN_PROBLEMS} more after these`);
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
