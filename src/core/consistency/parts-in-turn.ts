import type { ProjectionCursor } from '../ports/attachment-cache';
import type { OutboxChanges } from '../ports/outbox';

type Bounds = Pick<OutboxChanges, 'to' | 'horizon'>;

/**
 * Which parts of the cache a turn of the projection looks at. While the store does not change, one of them is enough:
 * where another epoch begins, it begins in all of them. What one part alone has lost is noticed when all are looked at
 * again; until then, no replica believes that part.
 */
export class PartsInTurn {
  private parts: readonly number[] = [];
  private turns = 0;
  /** When all parts were looked at; undefined if they have to be. */
  private seen?: Bounds & { readonly generation: number };

  /** Whether all parts were there where the store still is. */
  get areAlike(): boolean {
    return this.seen !== undefined;
  }

  /** The next turn looks at all parts. */
  startOver(): void {
    this.seen = undefined;
  }

  /** Undefined: all of them. */
  next(): readonly number[] | undefined {
    if (!this.seen || this.parts.length === 1) return undefined;
    this.turns += 1;
    return [this.parts[this.turns % this.parts.length] as number];
  }

  /** What a turn has found: `cursors`, before anything was projected, are of the parts that it looked at. */
  learn(cursors: readonly ProjectionCursor[], { to, horizon }: Bounds): void {
    const { generation = -1 } = cursors[0] ?? {};
    if (!cursors.every(({ position }) => position === to)) this.startOver();
    else if (!this.seen) {
      this.parts = cursors.flatMap(({ parts }) => parts);
      this.seen = { to, horizon, generation };
    } else if (this.seen.to !== to || this.seen.horizon !== horizon || this.seen.generation !== generation) {
      this.startOver();
    }
  }
}
