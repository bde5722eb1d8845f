import type { Caller } from '../caller';
import { createAttachment } from '../domain/attachment';
import { attachmentCreated, taskCompleted } from '../domain/domain-event';
import type { JsonText } from '../domain/json-text';
import { completeTask, taskNotFound, type Task } from '../domain/task';
import type { WriteStamp } from '../domain/version';
import { putChange, type AttachmentCache } from '../ports/attachment-cache';
import type { AttachmentPut } from '../ports/attachment-store';
import type { Clock } from '../ports/clock';
import type { IdSource } from '../ports/id-source';
import type { Metrics } from '../ports/metrics';
import type { TaskStore } from '../ports/task-store';
import type { CoreSettings } from '../settings';
import { unlessCacheIsDown } from './cache-outage';
import { writeVersioned } from './versioned-write';
import { refusedWrite } from './write-refusal';

/** The key under which a task's result is attached. */
export const RESULT_KEY = 'result';

export interface CompleteTaskCommand {
  readonly taskId: string;
  readonly workerId?: string;
  /** Becomes the json attachment `result`. */
  readonly result?: JsonText;
  /** Makes the task failed. */
  readonly error?: JsonText;
}

/** Finishes a task and attaches its result, in one transaction. */
export class CompleteTask {
  constructor(
    private readonly store: TaskStore,
    private readonly cache: AttachmentCache,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly metrics: Metrics,
    private readonly settings: CoreSettings,
  ) {}

  async execute({ taskId, result, ...outcome }: CompleteTaskCommand, caller: Caller): Promise<Task> {
    const done = await writeVersioned(this.clock, this.ids, async (stamp, nowMs) => {
      const found = await this.store.get(taskId, caller.organization, nowMs);
      if (!found) throw taskNotFound(taskId);
      const task = completeTask(found.task, outcome, { by: caller.name, nowMs });
      const put = result && this.resultOf(task, result, stamp, caller);
      const update = await this.store.update(task, taskCompleted(task, this.ids.op()), put);
      return update.state === 'updated' ? { ...update, task, put } : update;
    });
    if (done.state !== 'updated') throw refusedWrite(done, { taskId, key: RESULT_KEY });

    if (done.put && done.attachment) {
      const attachment = { ...done.put.attachment, ...done.attachment.identity };
      await unlessCacheIsDown(this.cache.apply(putChange(attachment)));
      this.metrics.attachmentCreated(attachment.type);
    }
    return done.task;
  }

  private resultOf(task: Task, value: JsonText, stamp: WriteStamp, caller: Caller): AttachmentPut {
    const attachment = createAttachment(
      { taskId: task.id, key: RESULT_KEY, type: 'json', value },
      {
        stamp,
        nowMs: task.updatedAtMs,
        idSuffix: this.ids.suffix(),
        createdBy: caller.name,
        maxBytes: this.settings.maxAttachmentBytes,
      },
    );
    return { attachment, event: attachmentCreated(attachment, this.settings.instanceId) };
  }
}
