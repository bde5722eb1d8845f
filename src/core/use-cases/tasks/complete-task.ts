import type { Caller } from '../../domain/caller';
import { createAttachment } from '../../domain/attachment';
import { attachmentCreated, taskCompleted } from '../../domain/domain-event';
import type { JsonText } from '../../domain/json-text';
import { CACHE_TIMEOUT_MS } from '../../domain/limits';
import { completeTask, taskNotFound, type Task } from '../../domain/task';
import type { WriteStamp } from '../../domain/version';
import { putChange } from '../../ports/attachment-cache';
import type { AttachmentPut } from '../../ports/attachment-store';
import type { Clock } from '../../ports/clock';
import type { IdSource } from '../../ports/id-source';
import type { Metrics } from '../../ports/metrics';
import type { TaskStore } from '../../ports/task-store';
import type { CoreSettings } from '../../ports/core-settings';
import type { AttachmentWriter } from '../../consistency/attachment-writer';
import { Deadline } from '../../consistency/deadline';
import { writeVersioned } from '../../consistency/versioned-write';
import { refusedWrite } from '../../consistency/write-refusal';

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
    private readonly writer: AttachmentWriter,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly metrics: Metrics,
    private readonly settings: CoreSettings,
  ) {}

  async execute({ taskId, result, ...outcome }: CompleteTaskCommand, caller: Caller): Promise<Task> {
    const deadline = new Deadline(this.clock);
    const attempt = async (stamp: WriteStamp, nowMs: number) => {
      const found = await this.store.get(taskId, caller.organization, nowMs, deadline.leftMs());
      if (!found) throw taskNotFound(taskId);
      const task = completeTask(found.task, outcome, { by: caller.name, nowMs });
      const put = result && this.resultOf(task, result, stamp, caller);
      const event = taskCompleted(task, this.ids.op());
      const update = await this.store.update(task, event, put, deadline.leftMs(CACHE_TIMEOUT_MS));
      return update.state === 'updated' ? { ...update, task, put } : update;
    };
    const done = await writeVersioned(this.clock, this.ids, attempt, { deadline });
    if (done.state !== 'updated') throw refusedWrite(done, { taskId, key: RESULT_KEY });

    if (result && done.put && done.attachment) {
      const floor = await this.writer.announce(putChange({ ...done.put.attachment, ...done.attachment.identity }));
      // A result that was journaled under the same key is older, whatever its version says.
      const draft = (stamp: WriteStamp) => this.resultOf(done.task, result, stamp, caller);
      if (floor !== undefined) await this.writer.put({ draft, floor, deadline }, caller);
      this.metrics.attachmentCreated('json');
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
