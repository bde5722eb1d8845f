import type { AttachmentCache, ProjectionCursor } from '../../ports/attachment-cache';
import type { Clock } from '../../ports/clock';
import type { CoreSettings } from '../../ports/core-settings';
import type { Outbox, OutboxChanges } from '../../ports/outbox';
import type { CacheTrust } from '../../consistency/cache-trust';
import { ProjectionLag } from '../../consistency/projection-lag';

const BATCH_SIZE = 1000;
/** For transactions that stay open for long, and for clocks that differ. */
const LOOK_BACK_MARGIN_MS = 10 * 60 * 1000;

/**
 * Makes the cache forget what is older than a change of which it may not have been told. Every replica does this: only
 * its own reading of the outbox tells a replica how far the cache must have been brought to be believed.
 */
export class ProjectChanges {
  private readonly lag = new ProjectionLag();

  constructor(
    private readonly cache: AttachmentCache,
    private readonly outbox: Outbox,
    private readonly trust: CacheTrust,
    private readonly clock: Clock,
    private readonly settings: CoreSettings,
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
      this.trust.distrust(Infinity);
      throw error;
    }
  }

  /**
   * Brings all parts forward from the lowest of their positions, so that they come together again; if no position is
   * known, from before everything that the cache can still hold.
   */
  private async bring(cursors: readonly ProjectionCursor[]): Promise<boolean> {
    const positions = cursors.flatMap(({ position }) => position ?? []);
    const from = positions.length > 0 ? Math.min(...positions) : undefined;
    const read = await this.outbox.changes(from, BATCH_SIZE, this.settings.cacheTtlMs + LOOK_BACK_MARGIN_MS);
    for (const { generation } of cursors) this.trust.learnHorizon(generation, read.horizon);
    const overdue = this.lag.overdueHorizon(read, this.clock.monotonicMs());
    if (overdue !== undefined) this.trust.distrust(overdue);
    for (const cursor of cursors) if (isBehind(cursor, read)) await this.project(cursor, read);
    return read.changes.length >= BATCH_SIZE;
  }

  /** A cache that takes no changes must not be believed: other replicas go on making changes. */
  private async project(cursor: ProjectionCursor, { changes, to, horizon }: OutboxChanges): Promise<void> {
    try {
      await this.cache.project(cursor, changes, to);
    } catch (error) {
      this.trust.distrust(horizon);
      throw error;
    }
  }
}

/** A position beyond the horizon is that of another database. */
function isBehind({ position = -1 }: ProjectionCursor, { to, horizon }: OutboxChanges): boolean {
  return position < to || position > horizon;
}
