import { isDeepStrictEqual } from 'node:util';
import type { DomainEvent } from '../../src/core/domain/domain-event';
import { versionAt } from '../../src/core/domain/version';
import { StoreError } from '../../src/core/ports/store-error';
import { CacheModel, type CacheSnapshot } from '../support/cache-model/cache-model';
import type { History } from './history';
import { Past } from './past';
import type { Plan, Piece, RedisRestart, Refusal } from './plan';
import type { Random } from './random';
import type { Timeline } from './timeline';

/** How far back Redis can be put, and how often it is looked at for that. */
const SNAPSHOTS = { size: 100, intervalMs: 25 };

/** A Redis that can come back with less than it had, and that can refuse to change. */
export class SimulatedRedis {
  readonly model: CacheModel;
  readonly cacheTtlMs: number;
  private readonly snapshots: Past<CacheSnapshot>;
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
    const startMs = timeline.nowMs;
    const returns = plan.faults.flatMap((fault) =>
      fault.kind === 'redis' && fault.restart === 'old' ? { atMs: startMs + fault.toMs, ageMs: fault.ageMs } : [],
    );
    this.snapshots = new Past(timeline, SNAPSHOTS, returns, () => this.model.snapshot());
  }

  restart(how: RedisRestart, ageMs: number): void {
    if (how === 'same') return;
    const old = how === 'old' ? this.snapshots.at(this.timeline.nowMs - ageMs) : undefined;
    if (old) this.model.restore(old);
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
}

/** The receiver of events. */
export class SimulatedBus {
  constructor(private readonly history: History) {}

  publish(event: DomainEvent): Promise<void> {
    this.history.published(event);
    return Promise.resolve();
  }
}
