import type { Clock } from '../../ports/clock';
import type { CoreSettings } from '../../ports/core-settings';
import type { DueTaskStore } from '../../ports/due-task-store';
import type { ExpiredAttachmentStore } from '../../ports/expired-attachment-store';

export interface DueCounts {
  readonly expiredAttachments: number;
  /** Their time to live has passed. */
  readonly expiredTasks: number;
  /** Finished longer ago than the retention keeps them; some may stay, because something below them goes on. */
  readonly finishedTasks: number;
}

/** Counts what `SweepExpired` and `DeleteDueTasks` have to delete, of all organisations. Changes nothing. */
export class CountDue {
  constructor(
    private readonly expired: ExpiredAttachmentStore,
    private readonly dueTasks: DueTaskStore,
    private readonly clock: Clock,
    private readonly settings: CoreSettings,
  ) {}

  /** Counts no further than `limit`. Throws `StoreError`. */
  async execute(limit: number): Promise<DueCounts> {
    const nowMs = this.clock.nowMs();
    const { finishedRetentionMs } = this.settings;
    const [attachments, tasks, finished] = await Promise.all([
      this.expired.find(nowMs, limit),
      this.dueTasks.expired(nowMs, limit),
      finishedRetentionMs > 0 ? this.dueTasks.finished(nowMs - finishedRetentionMs, undefined, limit) : [],
    ]);
    return { expiredAttachments: attachments.length, expiredTasks: tasks.length, finishedTasks: finished.length };
  }
}
