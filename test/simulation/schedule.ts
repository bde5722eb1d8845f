import { AnswerCheck } from './answers';
import { checkAgreement } from './agreement';
import type { Blockage } from './connection';
import { History, type Violation } from './history';
import { Operation, type Answer } from './operation';
import { REPLICAS, type Fault, type Plan, type PlannedOperation, type ServerName } from './plan';
import { Random } from './random';
import { Replica, type Surroundings } from './replica';
import { SimulatedPostgres } from './simulated-postgres';
import { SimulatedBus, SimulatedRedis } from './servers';
import { Timeline } from './timeline';
import { CountingIdSource } from './virtual-clock';

export const START_MS = Date.UTC(2026, 0, 1);
/** Faults have healed by then, at the latest. */
const HEALING_MS = 1000;
/** Once everything has healed: as long as nothing may become of what still waits, and how often it is looked at. */
const STANDSTILL_MS = 30_000;
const LOOK_MS = 350;
/** A replica that starts is not ready. */
const WAIT_FOR_START_MS = 5;
/** Every replica learns the horizon of the last commit. */
const SETTLED_LOOKS = 3;
/** Reads that prove what every replica has come to know. */
const FINAL_READS_MS = 10_000;
const SERVERS: readonly ServerName[] = ['postgres', 'redis', 'nats'];

export interface Outcome {
  readonly violation?: Violation;
  readonly events: number;
}

/** Runs one plan from its beginning to the end of its last consequence. */
export async function runSchedule(plan: Plan, trace?: (line: string) => void): Promise<Outcome> {
  return new Schedule(plan, trace).run();
}

class Schedule {
  private readonly timeline = new Timeline(START_MS);
  private readonly history: History;
  private readonly check: AnswerCheck;
  private readonly around: Surroundings;
  private readonly replicas: (Replica | undefined)[];
  private readonly incarnations = new Array<number>(REPLICAS).fill(0);
  /** Of each replica's way to each server; more than one fault may be in it. */
  private readonly blockages = new Map<string, Blockage[]>();
  private readonly isDown = { postgres: 0, redis: 0, nats: 0 };
  private readonly underWay = new Set<Operation>();

  constructor(
    private readonly plan: Plan,
    trace?: (line: string) => void,
  ) {
    const { timeline } = this;
    const line = trace && ((text: string) => trace(`${String(timeline.nowMs - START_MS).padStart(6)} ${text}`));
    const random = new Random(plan.networkSeed);
    this.history = new History(timeline, Math.max(...plan.skewsMs.map(Math.abs)), line);
    this.check = new AnswerCheck(this.history, plan);
    const { history } = this;
    this.around = {
      timeline,
      random,
      plan,
      history,
      ids: new CountingIdSource(random, plan.scenario.maxChoices ?? Infinity),
      postgres: new SimulatedPostgres(timeline, random, history, plan),
      redis: new SimulatedRedis(timeline, random, plan, history),
      bus: new SimulatedBus(history),
      trace: line,
    };
    history.presentEpoch = () => this.around.postgres.epoch;
    this.replicas = Array.from({ length: REPLICAS }, (_, place) => new Replica(this.around, place, 0));
  }

  async run(): Promise<Outcome> {
    const { plan, timeline } = this;
    for (const planned of plan.operations) timeline.at(START_MS + planned.atMs, () => this.begin(planned));
    for (const fault of plan.faults) this.schedule(fault);
    const healedMs = Math.max(plan.durationMs, ...plan.faults.map((fault) => ('toMs' in fault ? fault.toMs : 0)));
    await timeline.run(START_MS + healedMs + HEALING_MS);
    await this.quiet();
    await this.readEverything();
    return { violation: this.history.violation, events: timeline.events };
  }

  /** However much waits, it ends, and as soon as it no longer becomes less. */
  private async quiet(): Promise<void> {
    const { timeline, history } = this;
    let looks = 0;
    let least = Infinity;
    let untilMs = timeline.nowMs + STANDSTILL_MS;
    while (looks < SETTLED_LOOKS && timeline.nowMs < untilMs && !history.violation) {
      await timeline.run(timeline.nowMs + LOOK_MS);
      const waiting = this.waiting();
      looks = waiting === 0 ? looks + 1 : 0;
      if (waiting < least) untilMs = timeline.nowMs + STANDSTILL_MS;
      least = Math.min(least, waiting);
    }
    if (history.violation) return;
    const problem = checkAgreement(this.history, this.around);
    if (problem) history.violate(problem.rule, problem.text);
  }

  /** How much is still to be done, by all replicas. */
  private waiting(): number {
    const { database } = this.around.postgres;
    const { model } = this.around.redis;
    return (
      this.underWay.size +
      model.journal.length +
      database.rows.unpublishedCount +
      database.treeDeletions.begunUntil(database.nowMs).length +
      Math.abs(database.xmax - (model.cursor ?? 0)) +
      this.replicas.filter((replica) => replica?.standing !== 'home' || !replica.isSettled).length +
      database.expired(this.timeline.nowMs + 1000).length
    );
  }

  /** Each answer that differs from the database shows a replica that has not learned of a change. */
  private async readEverything(): Promise<void> {
    const { timeline, history, plan } = this;
    if (history.violation) return;
    let id = 1_000_000;
    for (const replica of this.replicas) {
      for (const task of history.tasks.values()) {
        if (!replica) return history.violate('liveness', 'a replica has not come back');
        const read = {
          atMs: 0,
          replica: replica.place,
          organization: task.organization as string,
          taskId: task.taskId,
        };
        this.begin({ ...read, id: id++, kind: 'list', key: '' });
        for (const key of [...plan.keys, 'result']) this.begin({ ...read, id: id++, kind: 'get', key });
      }
    }
    const untilMs = timeline.nowMs + FINAL_READS_MS;
    while (this.underWay.size > 0 && timeline.nowMs < untilMs && !history.violation)
      await timeline.run(timeline.nowMs + LOOK_MS);
    if (this.underWay.size > 0)
      history.violate('liveness', `${[...this.underWay].map(({ name }) => name).join()} never ends`);
  }

  private begin(planned: PlannedOperation): void {
    const replica = this.replicas[planned.replica];
    if (!replica) return;
    if (replica.standing === 'starting') return this.timeline.after(WAIT_FOR_START_MS, () => this.begin(planned));
    // It is not ready: no client is sent to it.
    if (replica.standing !== 'home' && replica.standing !== 'replaced') return;
    // One that cannot reach Redis has no way to know, and does no harm to it.
    if (this.around.postgres.isForeign(planned.replica) && replica.usesPresentCache) {
      return this.history.violate('epochs', `${replica.name} is ready, with the cache of another database`);
    }
    const operation = new Operation(planned, replica, this.history);
    const { trace } = this.around;
    trace?.(`${operation.name} begins on ${replica.name}: ${planned.kind} ${planned.taskId}/${planned.key}`);
    this.underWay.add(operation);
    operation.execute().then(
      (answer) => {
        this.underWay.delete(operation);
        trace?.(`${operation.name} is answered: ${briefly(answer)}`);
        this.check.answered(operation, answer);
      },
      (error: unknown) => {
        this.underWay.delete(operation);
        trace?.(`${operation.name} fails: ${String(error)}`);
        this.check.failed(operation, error);
      },
    );
  }

  private schedule(fault: Fault): void {
    const { timeline } = this;
    timeline.at(START_MS + fault.fromMs, () => this.strike(fault));
    if ('toMs' in fault) timeline.at(START_MS + fault.toMs, () => this.heal(fault));
  }

  private strike(fault: Fault): void {
    this.around.trace?.(`FAULT ${JSON.stringify(fault)}`);
    switch (fault.kind) {
      case 'redis':
      case 'postgres':
      case 'nats':
        return this.takeDown(fault.kind, fault.blockage);
      case 'link':
        return this.block(fault.replica, fault.server, fault.blockage, false);
      case 'refusal':
        return this.around.redis.refuse(fault);
      case 'crash':
        return this.crash(fault.replica);
      case 'replace':
        return this.replace(fault);
      case 'astray':
        this.around.postgres.mislead(fault.replica, fault.to, fault.ageMs);
        this.crash(fault.replica);
        if (fault.isSilent) this.block(fault.replica, 'postgres', 'refused', false);
        return this.restart(fault.replica);
      case 'reconnect':
        return this.replicas[fault.replica]?.connection('redis').reconnect();
      case 'evict':
        return this.around.redis.evict(fault.piece, fault.taskId, fault.key);
    }
  }

  private heal(fault: Exclude<Fault, { kind: 'reconnect' | 'evict' | 'replace' }>): void {
    this.around.trace?.(`HEALED ${JSON.stringify(fault)}`);
    switch (fault.kind) {
      case 'redis':
        if (this.isDown.redis === 1) this.around.redis.restart(fault.restart, fault.ageMs);
        return this.bringUp(fault.kind, fault.blockage);
      case 'postgres':
      case 'nats':
        return this.bringUp(fault.kind, fault.blockage);
      case 'link':
        return this.unblock(fault.replica, fault.server, fault.blockage);
      case 'refusal':
        return this.around.redis.endRefusal(fault);
      case 'crash':
        return this.restart(fault.replica);
      case 'astray':
        this.around.postgres.lead(fault.replica);
        this.crash(fault.replica);
        if (fault.isSilent) this.unblock(fault.replica, 'postgres', 'refused');
        return this.restart(fault.replica);
    }
  }

  /** Sessions end with their server. */
  private replace({ how, ageMs, left }: Fault & { kind: 'replace' }): void {
    const { postgres, redis, history } = this.around;
    if (left) {
      postgres.keep(left.replica, left.isMixed);
      this.timeline.after(left.forMs, () => postgres.lead(left.replica));
    } else {
      postgres.die();
    }
    for (let place = 0; place < REPLICAS; place++) {
      if (place !== left?.replica) this.block(place, 'postgres', 'refused', true);
    }
    postgres.replace(how, ageMs);
    for (let place = 0; place < REPLICAS; place++) {
      if (place !== left?.replica) this.unblock(place, 'postgres', 'refused');
    }
    history.replaced(postgres.database, redis.model);
    for (const replica of this.replicas) replica?.startAnew();
    // Nothing shows it: the operator has to tell.
    if (how === 'rolled back' && postgres.database.xmax >= (redis.model.cursor ?? 0)) {
      const { history: ofDatabase } = postgres.database;
      ofDatabase.beginEpoch(ofDatabase.epoch);
    }
  }

  /** A server that refuses is dead; one that is silent hangs. */
  private takeDown(server: ServerName, blockage: Blockage): void {
    this.isDown[server] += 1;
    const isDead = blockage === 'refused';
    if (isDead && server === 'postgres') this.around.postgres.die();
    for (let place = 0; place < REPLICAS; place++) this.block(place, server, blockage, isDead);
  }

  private bringUp(server: ServerName, blockage: Blockage): void {
    this.isDown[server] -= 1;
    for (let place = 0; place < REPLICAS; place++) this.unblock(place, server, blockage);
  }

  private block(place: number, server: ServerName, blockage: Blockage, isServerDead: boolean): void {
    const name = `${place} ${server}`;
    this.blockages.set(name, [...(this.blockages.get(name) ?? []), blockage]);
    this.replicas[place]?.connection(server).block(blockage, isServerDead);
  }

  private unblock(place: number, server: ServerName, blockage: Blockage): void {
    const name = `${place} ${server}`;
    const left = [...(this.blockages.get(name) ?? [])];
    left.splice(left.indexOf(blockage), 1);
    this.blockages.set(name, left);
    if (left.length === 0) this.replicas[place]?.connection(server).unblock();
  }

  private crash(place: number): void {
    const replica = this.replicas[place];
    replica?.crash();
    this.replicas[place] = undefined;
    for (const operation of this.underWay) if (operation.replica === replica) this.underWay.delete(operation);
  }

  private restart(place: number): void {
    if (this.replicas[place]) return;
    const incarnation = (this.incarnations[place] as number) + 1;
    this.incarnations[place] = incarnation;
    const replica = new Replica(this.around, place, incarnation);
    this.replicas[place] = replica;
    for (const server of SERVERS) {
      const blockage = this.blockages.get(`${place} ${server}`)?.[0];
      if (blockage) replica.connection(server).block(blockage, false);
    }
  }
}

function briefly(answer: Answer): string {
  const degraded = ('degraded' in answer && answer.degraded) || ('page' in answer && answer.page.degraded);
  const flag = degraded ? ' (degraded)' : '';
  switch (answer.kind) {
    case 'put':
      return `${answer.attachment.version} ${answer.attachment.op.slice(-4)}${flag}`;
    case 'attachments':
      return answer.found.map((one) => (one ? `${one.key} ${one.version}` : 'nothing')).join(', ') + flag;
    case 'page':
      return `[${answer.page.attachments.map(({ key, version }) => `${key} ${version}`).join(', ')}] of ${answer.page.totalCount}${flag}`;
    default:
      return answer.kind + flag;
  }
}
