import type { CachedTask } from '../ports/attachment-cache';

/**
 * How far the cache must have been brought before this replica believes it. Trust begins anew with the process and with
 * every generation of the connection to the cache: the cache may have come back with older data.
 */
export class CacheTrust {
  private current = 0;
  private need = Infinity;

  /** The latest generation of the connection to the cache that this replica has heard of. */
  get generation(): number {
    return this.current;
  }

  /** Whether everything that was committed before the present generation has been projected into the cache. */
  accepts({ token, cursor }: CachedTask): boolean {
    this.enter(token.generation);
    return this.reaches(token.generation, cursor);
  }

  /** Whether the cache would be believed with its cursor there. */
  reaches(generation: number, cursor: number): boolean {
    return generation === this.current && cursor >= this.need;
  }

  /** `horizon` is from a read of the outbox that began after `generation` had begun. */
  learnHorizon(generation: number, horizon: number): void {
    this.enter(generation);
    // A horizon that has gone back is that of another database.
    if (generation === this.current) this.need = Math.min(this.need, horizon);
  }

  /** Changes up to the horizon could not be projected: the cache is not believed until they have been. */
  distrust(horizon: number): void {
    this.need = Math.max(this.need, horizon);
  }

  private enter(generation: number): void {
    if (generation <= this.current) return;
    this.current = generation;
    this.need = Infinity;
  }
}
