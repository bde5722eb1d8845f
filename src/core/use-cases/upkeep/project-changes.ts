import type { AttachmentCache, ProjectionCursor } from '../../ports/attachment-cache';
import type { Clock } from '../../ports/clock';
import type { Outbox, OutboxChanges } from '../../ports/outbox';
import type { ReplicaMemory } from '../../consistency/replica-memory';

const BATCH_SIZE = 1000;
/** How far the projection may be behind before the cache is no longer believed. */
const MAX_LAG_MS = 1000;
/** For transactions that were long under way, and for clocks that differ. */
const LOOK_BACK_MARGIN_MS = 10 * 60 * 1000;

/**
 * Has the cache forget what it holds that is older than a change of which it may not have been told. Every replica does
 * so: only by its own reading of the outbox it knows how far the cache must have been brought to be believed.
 */
export class ProjectChanges {
  /** Horizons that the projection has not reached yet, lowest first, and since when they are known. */
  private readonly ahead: { readonly horizon: number; readonly sinceMs: number }[] = [];

  constructor(
    private readonly cache: AttachmentCache,
    private readonly outbox: Outbox,
    private readonly memory: ReplicaMemory,
    private readonly clock: Clock,
    /** For how long the cache keeps what it is not told of again. */
    private readonly cacheTtlMs: number,
  ) {}

  /** Takes one batch. */
  async execute(): Promise<{ more: boolean }> {
    const cursors = await this.cursors();
    const known = cursors.filter(({ position }) => position !== undefined);
    const lost = cursors.filter(({ position }) => position === undefined);
    let more = false;
    for (const alike of [known, lost]) {
      if (alike.length > 0) more = (await this.bring(alike)) || more;
    }
    return { more };
  }

  private async cursors(): Promise<readonly ProjectionCursor[]> {
    try {
      return await this.cache.cursors();
    } catch (error) {
      this.memory.distrust(Infinity);
      throw error;
    }
  }

  /**
   * All from where the last of them is, so that they come together again; where that is not known, from before
   * everything that the cache can still hold.
   */
  private async bring(cursors: readonly ProjectionCursor[]): Promise<boolean> {
    const positions = cursors.flatMap(({ position }) => position ?? []);
    const from = positions.length > 0 ? Math.min(...positions) : undefined;
    const read = await this.outbox.changes(from, BATCH_SIZE, this.cacheTtlMs + LOOK_BACK_MARGIN_MS);
    for (const { generation } of cursors) this.memory.learnHorizon(generation, read.horizon);
    this.watchLag(read);
    for (const cursor of cursors) if (isBehind(cursor, read)) await this.project(cursor, read);
    return read.changes.length >= BATCH_SIZE;
  }

  /** A cache that takes no changes must not be believed: others go on making them. */
  private async project(cursor: ProjectionCursor, { changes, to, horizon }: OutboxChanges): Promise<void> {
    try {
      await this.cache.project(cursor, changes, to);
    } catch (error) {
      this.memory.distrust(horizon);
      throw error;
    }
  }

  /** A transaction that is long under way holds the projection back, and with it what others have changed since. */
  private watchLag({ to, horizon }: OutboxChanges): void {
    const nowMs = this.clock.monotonicMs();
    while (this.ahead[0] && this.ahead[0].horizon <= to) this.ahead.shift();
    if (horizon > (this.ahead.at(-1)?.horizon ?? to)) this.ahead.push({ horizon, sinceMs: nowMs });
    const overdue = this.ahead.findLast(({ sinceMs }) => nowMs - sinceMs > MAX_LAG_MS);
    if (!overdue) return;
    // The memory keeps it; whatever reaches it has reached those before.
    this.ahead.splice(0, this.ahead.indexOf(overdue) + 1);
    this.memory.distrust(overdue.horizon);
  }
}

/** One beyond the horizon is that of another database. */
function isBehind({ position = -1 }: ProjectionCursor, { to, horizon }: OutboxChanges): boolean {
  return position < to || position > horizon;
}
