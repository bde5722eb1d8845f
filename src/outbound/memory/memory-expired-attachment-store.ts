import type { ExpiredAttachment } from '../../core/domain/attachment';
import type { ExpiredAttachmentStore } from '../../core/ports/expired-attachment-store';
import { inTurnOf } from './in-turn-of';
import type { MemoryDatabase } from './memory-database';

export class MemoryExpiredAttachmentStore implements ExpiredAttachmentStore {
  constructor(private readonly database: MemoryDatabase) {}

  find(nowMs: number, limit: number): Promise<readonly ExpiredAttachment[]> {
    const expired = this.database.expired(nowMs).sort((a, b) => a.expiresAtMs - b.expiresAtMs);
    const inTurn = inTurnOf(expired, ({ taskId }) => this.database.task(taskId)?.organization ?? '');
    return Promise.resolve(inTurn.slice(0, limit));
  }

  remove(expired: readonly ExpiredAttachment[]): Promise<readonly ExpiredAttachment[]> {
    const { database } = this;
    return Promise.resolve(database.transaction(() => expired.filter((one) => database.removeExpired(one))));
  }

  purgeTombstones(version: number, limit: number): Promise<number> {
    return Promise.resolve(this.database.purgeTombstones(version, limit));
  }
}
