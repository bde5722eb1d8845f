import type { AttachmentCache, ProjectionCursor } from '../ports/attachment-cache';
import type { Outbox, OutboxChange } from '../ports/outbox';
import type { ReplicaMemory } from './replica-memory';

const BATCH_SIZE = 1000;

/**
 * Has the cache forget what it holds that is older than a change of which it may not have been told. Every replica does
 * so: only by its own reading of the outbox it knows how far the cache must have been brought to be believed.
 */
export class ProjectChanges {
  constructor(
    private readonly cache: AttachmentCache,
    private readonly outbox: Outbox,
    private readonly memory: ReplicaMemory,
  ) {}

  /** Takes one batch. */
  async execute(): Promise<{ more: boolean }> {
    let more = false;
    for (const cursor of await this.cursors()) {
      const { changes, to, horizon } = await this.outbox.changes(cursor.position, BATCH_SIZE);
      this.memory.learnHorizon(cursor.session, horizon);
      if (to !== cursor.position) await this.project(cursor, changes, to, horizon);
      more ||= changes.length >= BATCH_SIZE;
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

  /** A cache that takes no changes must not be believed: others go on making them. */
  private async project(
    cursor: ProjectionCursor,
    changes: readonly OutboxChange[],
    to: number,
    horizon: number,
  ): Promise<void> {
    try {
      await this.cache.project(cursor, changes, to);
    } catch (error) {
      this.memory.distrust(horizon);
      throw error;
    }
  }
}
