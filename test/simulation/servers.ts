import { isDeepStrictEqual } from 'node:util';
import type { DomainEvent } from '../../src/core/domain/domain-event';
import { versionAt } from '../../src/core/domain/version';
import { StoreError } from '../../src/core/ports/store-error';
import { CacheModel, type CacheSnapshot } from '../support/cache-model/cache-model';
import type { History } from './history';
import type { Plan, Piece, RedisRestart, Refusal } from './plan';
import type { Random } from './random';
import type { Timeline } from './timeline';

/** How far back Redis can be put, and how often it is looked at for that. */
const SNAPSHOTS = 100;
const SNAPSHOT_INTERVAL_MS = 25;

/** A Redis that can come back with less than it had, and that can refuse to change. */
export class SimulatedRedis {
  readonly model: CacheModel;
  readonly cacheTtlMs: number;
  private readonly snapshots: { atMs: number; snapshot: CacheSnapshot }[] = [];

  private readonly refusals = new Set<Refusal>();

  constructor(
    private readonly timeline: Timeline,
    private readonly random: Random,
    private readonly plan: Plan,
    private readonly history: History,
  ) {
    this.cacheTtlMs = plan.scenario.cacheTtlMs ?? 3_600_000;
    this.model = new CacheModel({
      ttlMs: this.cacheTtlMs,
      nowMs: () => timeline.nowMs,
      newFloor: () => versionAt(timeline.nowMs + plan.floorSkewMs),
      skewMs: plan.floorSkewMs,
    });
    if (plan.faults.some((fault) => fault.kind === 'redis' && fault.restart === 'old')) this.keepSnapshots();
  }

  restart(how: RedisRestart, ageMs: number): void {
    if (how === 'same') return;
    const sinceMs = this.timeline.nowMs - ageMs;
    const old = this.snapshots.findLast(({ atMs }) => atMs <= sinceMs);
    if (how === 'old' && old) this.model.restore(old.snapshot);
    else this.model.clear();
    this.history.redisWentBack(this.model);
  }

  refuse(refusal: Refusal): void {
    this.refusals.add(refusal);
  }

  endRefusal(refusal: Refusal): void {
    this.refusals.delete(refusal);
  }

  /** The effect of a command of one replica, unless it would change anything, and that is refused. */
  serve<T>(place: number, effect: () => Promise<T>): Promise<T> {
    const refusal = [...this.refusals].find(({ replica }) => replica === undefined || replica === place);
    if (!refusal || !this.random.chance(refusal.share)) return effect();
    // What has come to its end changes nothing by going.
    for (const taskId of this.plan.taskIds) this.model.dump(taskId);
    const before = this.model.snapshot();
    const answer = effect();
    if (isDeepStrictEqual(this.model.snapshot(), before)) return answer;
    this.model.restore(before);
    return Promise.reject(new StoreError('redis', refusal.outcome));
  }

  evict(piece: Piece, taskId: string, key: string): void {
    if (piece === 'control') this.model.evictControl(taskId);
    else if (piece === 'index') this.model.evictIndex(taskId);
    else if (piece === 'index-entry') this.model.evictIndexEntry(taskId, key);
    else this.model.evictHash(taskId, key);
  }

  private keepSnapshots(): void {
    this.snapshots.push({ atMs: this.timeline.nowMs, snapshot: this.model.snapshot() });
    if (this.snapshots.length > SNAPSHOTS) this.snapshots.shift();
    this.timeline.after(SNAPSHOT_INTERVAL_MS, () => this.keepSnapshots());
  }
}

/** The receiver of events. */
export class SimulatedBus {
  constructor(private readonly history: History) {}

  publish(event: DomainEvent): Promise<void> {
    this.history.published(event);
    return Promise.resolve();
  }
}
