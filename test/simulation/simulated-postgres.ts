import { MemoryDatabase } from '../../src/outbound/memory/memory-database';
import type { History } from './history';
import { Past } from './past';
import type { Plan, Replacement } from './plan';
import type { Random } from './random';
import { nextRun, SimulatedCluster } from './simulated-cluster';
import type { Timeline } from './timeline';

/** How far back a backup can lie, and how often one is made. */
const BACKUPS = { size: 160, intervalMs: 25 };

/** The PostgreSQL that the replicas reach: most of them the present one, some another one. */
export class SimulatedPostgres {
  present: SimulatedCluster;
  private readonly astray = new Map<number, SimulatedCluster>();
  private readonly backups: Past<MemoryDatabase>;
  private readonly misled = new Set<number>();
  private readonly mixed = new Set<number>();
  private readonly foreign = new Set<number>();
  private clusters = 1;
  private endedEpoch?: string;

  constructor(
    private readonly timeline: Timeline,
    private readonly random: Random,
    private readonly history: History,
    plan: Plan,
  ) {
    this.present = this.clusterOf(new MemoryDatabase(this.clock));
    const startMs = timeline.nowMs;
    const returns = plan.faults.flatMap((fault) =>
      fault.kind === 'replace' || fault.kind === 'astray' ? { atMs: startMs + fault.fromMs, ageMs: fault.ageMs } : [],
    );
    this.backups = new Past(timeline, BACKUPS, returns, () => this.database.copy());
  }

  get database(): MemoryDatabase {
    return this.present.database;
  }

  /** Undefined until the present server has begun an epoch of its own. */
  get epoch(): string | undefined {
    const { epoch } = this.database.history;
    return epoch === this.endedEpoch ? undefined : epoch;
  }

  /** The one that the replica in this place reaches. */
  of(place: number): SimulatedCluster {
    const isPresent = this.mixed.has(place) && this.random.chance(0.5);
    return (isPresent ? undefined : this.astray.get(place)) ?? this.present;
  }

  /** As the configuration of the replica in this place names it: a misled replica has another one. */
  addressOf(place: number): string {
    return this.misled.has(place) ? 'another address' : 'address';
  }

  /** Whether the replica in this place reaches, or would reach, another database than the others. */
  isForeign(place: number): boolean {
    return this.foreign.has(place);
  }

  die(): void {
    this.present.die();
  }

  /** In the place of the present server comes one with what was committed `ageMs` ago. */
  replace(how: Replacement, ageMs: number): void {
    const database = this.backup(ageMs);
    const xid = database.xmax;
    this.endedEpoch = database.history.epoch;
    this.clusters += 1;
    const name = `cluster-${this.clusters}`;
    const [system] = database.history.server.split('/') as [string];
    if (how === 'promoted') database.moveTo(`${system}/${this.clusters}`, xid);
    else if (how === 'restored low') database.moveTo(`${name}/1`, 1 + this.random.int(4));
    else if (how === 'restored high') database.moveTo(`${name}/1`, xid + this.random.between(1, 40));
    else database.moveTo(database.history.server, xid);
    database.history.run = nextRun();
    this.present = this.clusterOf(database);
  }

  /** The replica goes on with the present server, whatever comes in its place for the others. */
  keep(place: number, isMixed: boolean): void {
    this.astray.set(place, this.present);
    if (isMixed) this.mixed.add(place);
  }

  /** The replica reaches a server of its own: one with a copy of the database, or one with another database. */
  mislead(place: number, to: 'copy' | 'other database', ageMs: number): void {
    const database = to === 'copy' ? this.backup(ageMs) : new MemoryDatabase(this.clock, 'another database');
    this.clusters += 1;
    database.moveTo(`cluster-${this.clusters}/1`, database.xmax + this.random.int(3));
    database.history.run = nextRun();
    this.astray.set(place, this.clusterOf(database));
    this.misled.add(place);
    if (to === 'other database') this.foreign.add(place);
  }

  lead(place: number): void {
    this.astray.delete(place);
    this.misled.delete(place);
    this.mixed.delete(place);
    this.foreign.delete(place);
  }

  private get clock() {
    return { nowMs: () => this.timeline.nowMs };
  }

  private clusterOf(database: MemoryDatabase): SimulatedCluster {
    return new SimulatedCluster(database, this.timeline, this.random, (changed) => {
      if (changed === this.present?.database) this.history.committed(changed);
      else this.history.committedElsewhere(changed);
    });
  }

  private backup(ageMs: number): MemoryDatabase {
    return (this.backups.at(this.timeline.nowMs - ageMs) ?? this.database).copy();
  }
}
