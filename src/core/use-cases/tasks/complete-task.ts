import type { Caller } from '../../domain/caller';
import { causedBy, taskCompleted } from '../../domain/domain-event';
import type { JsonText } from '../../domain/json-text';
import { completeTask, hasOutcome, taskNotFound, type Task, type TaskOutcome } from '../../domain/task';
import type { WriteStamp } from '../../domain/version';
import { putChange } from '../../ports/attachment-cache';
import type { Clock } from '../../ports/clock';
import type { IdSource } from '../../ports/id-source';
import type { Metrics } from '../../ports/metrics';
import type { TaskStore } from '../../ports/task-store';
import { CACHE_TIMEOUT_MS } from '../../ports/time-limits';
import type { AttachmentFactory, MeasuredDraft, PutDraft } from '../../consistency/attachment-factory';
import type { AttachmentWriter } from '../../consistency/attachment-writer';
import { Deadline } from '../../consistency/deadline';
import type { QuotaKeeper } from '../../quotas/quota-keeper';
import { refusedWrite } from '../../consistency/refused-write';
import { Overtaken, writeVersioned } from '../../consistency/write-versioned';

/** The key under which a task's result is attached. */
export const RESULT_KEY = 'result';

export interface CompleteTaskCommand extends TaskOutcome {
  readonly taskId: string;
  /** Becomes the json attachment `result`. */
  readonly result?: JsonText;
}

/** Finishes a task and attaches its result, in one transaction. A repetition of that changes nothing. */
export class CompleteTask {
  constructor(
    private readonly store: TaskStore,
    private readonly factory: AttachmentFactory,
    private readonly writer: AttachmentWriter,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly metrics: Metrics,
    private readonly quota: QuotaKeeper,
  ) {}

  async execute({ taskId, result, ...outcome }: CompleteTaskCommand, caller: Caller): Promise<Task> {
    const deadline = new Deadline(this.clock);
    let checked: MeasuredDraft | undefined;
    const attempt = async (stamp: WriteStamp, nowMs: number) => {
      const found = await this.store.get(taskId, caller.organization, nowMs, deadline.leftMs());
      if (!found) throw taskNotFound(taskId);
      if (hasOutcome(found.task, outcome, caller.name)) {
        const isRepeated = await this.store.hasResult(taskId, caller.organization, result, deadline.leftMs());
        if (isRepeated) return { task: found.task };
      }
      const task = completeTask(found.task, outcome, { by: caller.name, nowMs });
      if (result) checked ??= this.factory.draft({ taskId, key: RESULT_KEY, type: 'json', value: result }, caller);
      const put = checked?.(stamp, nowMs);
      const event = causedBy(taskCompleted(task, this.ids.op()), caller);
      const update = await this.quota.run(
        checked ? [{ ref: { taskId, key: RESULT_KEY }, bytes: checked.bytes }] : [],
        caller,
        () => this.store.update(task, event, put, deadline.leftMs(CACHE_TIMEOUT_MS)),
        (outcome) => (outcome.state === 'updated' ? Number(outcome.attachment?.replaced ?? false) : undefined),
      );
      if (update.state === 'superseded') return new Overtaken(update.version);
      if (update.state === 'stale') return new Overtaken(undefined);
      if (update.state !== 'updated') throw refusedWrite(update, { taskId, key: RESULT_KEY });
      return { task, draft: checked, attachment: put && { ...put.attachment, ...update.attachment?.identity } };
    };
    const { task, draft, attachment } = await writeVersioned(this.clock, this.ids, attempt, { deadline });

    if (draft && attachment) {
      const floor = await this.writer.announce(putChange(attachment), caller);
      // A result that was journaled under the same key is older, whatever its version says.
      const again: PutDraft = (stamp) => draft(stamp, task.updatedAtMs);
      if (floor !== undefined) await this.writer.put({ draft: again, floor, deadline }, caller);
      this.metrics.attachmentCreated('json');
    }
    return task;
  }
}
