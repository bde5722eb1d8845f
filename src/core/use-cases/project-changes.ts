import type { AttachmentCache } from '../ports/attachment-cache';
import type { Outbox } from '../ports/outbox';
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
    for (const cursor of await this.cache.cursors()) {
      const { changes, to, horizon } = await this.outbox.changes(cursor.position, BATCH_SIZE);
      this.memory.learnHorizon(cursor.session, horizon);
      if (to !== cursor.position) await this.cache.project(cursor, changes, to);
      more ||= changes.length >= BATCH_SIZE;
    }
    return { more };
  }
}
