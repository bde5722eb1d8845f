import type { Caller } from '../../domain/caller';
import { DomainError, refuseIfAny, type FieldError } from '../../domain/domain-error';
import { causedBy, taskCreated, type DomainEvent } from '../../domain/domain-event';
import { JsonText } from '../../domain/json-text';
import { RETIRED_FIELD, retiredDataErrors, splitRetiredData } from '../../domain/retired-data';
import { createTask, taskNotFound, type Task, type TaskDraft } from '../../domain/task';
import type { AttachmentCache, FillToken } from '../../ports/attachment-cache';
import type { AttachmentPut } from '../../ports/attachment-write';
import type { Clock } from '../../ports/clock';
import type { IdSource } from '../../ports/id-source';
import type { Metrics } from '../../ports/metrics';
import { ROWS_PER_WRITE, type Room } from '../../ports/room';
import type { TaskStore } from '../../ports/task-store';
import { CACHE_TIMEOUT_MS } from '../../ports/time-limits';
import type { AcknowledgedChanges } from '../../consistency/acknowledged-changes';
import type { AttachmentFactory } from '../../consistency/attachment-factory';
import { Deadline } from '../../consistency/deadline';
import type { QuotaKeeper } from '../../quotas/quota-keeper';
import { unlessCacheIsDown } from '../../consistency/unless-cache-is-down';
import { mintStamp } from '../../consistency/write-versioned';

const RETIRED_DATA = `${RETIRED_FIELD} is retired: each of its members was stored as a json attachment; use task.create_attachment`;

/** What a small member becomes, roughly: an attachment, its event, and a row of SQL. */
const MEMBER_BYTES = 4096;

export interface CreatedTask {
  /** As it was created. */
  readonly task: Task;
  readonly warnings: readonly string[];
  /** An earlier call with the same id and the same draft has created it. */
  readonly replayed?: true;
}

/**
 * Creates a task; the members of a retired `metadata.data` become its first attachments, in the same transaction. A
 * repetition of that changes nothing.
 */
export class CreateTask {
  constructor(
    private readonly store: TaskStore,
    private readonly cache: AttachmentCache,
    private readonly factory: AttachmentFactory,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly metrics: Metrics,
    private readonly acknowledged: AcknowledgedChanges,
    private readonly quota: QuotaKeeper,
  ) {}

  async execute(draft: TaskDraft, caller: Caller, room?: Room): Promise<CreatedTask> {
    const nowMs = this.clock.nowMs();
    const { metadata, data } = splitRetiredData(draft.metadata ?? JsonText.EMPTY_OBJECT);
    const task = createTask({ ...draft, metadata }, caller.organization, this.ids.suffix(), { by: caller.name, nowMs });
    if (data) room?.unshown.take(data.size * MEMBER_BYTES);
    room?.countRows((data?.size ?? 0) * ROWS_PER_WRITE);
    const puts = data ? this.putsOf(task, data, caller) : [];
    const warnings = data ? [RETIRED_DATA] : [];
    const deadline = new Deadline(this.clock);
    const cached = await unlessCacheIsDown(this.cache.readTask(task.id));

    const event = causedBy(taskCreated(task, this.ids.op()), caller);
    const outcome = await this.insert(task, puts, event, caller, deadline);
    if (outcome === 'parent-missing') throw taskNotFound(task.parentId as string);
    if (outcome === 'id-taken') {
      const repeated = await this.store.repeated(task, puts, deadline.leftMs());
      if (!repeated) throw new DomainError({ kind: 'task-exists', taskId: task.id });
      return { task: { ...task, ...repeated }, warnings, replayed: true };
    }

    for (const { attachment } of puts) {
      const { version } = attachment;
      this.acknowledged.remember(caller, attachment, { version, deleted: false, journaled: false });
    }
    if (cached) await this.fill(task, puts, cached.token);
    for (const { attachment } of puts) this.metrics.attachmentCreated(attachment.type);
    return { task, warnings };
  }

  /** A repeated call is recognised even if the organisation may store nothing more. */
  private async insert(
    task: Task,
    puts: readonly AttachmentPut[],
    event: DomainEvent,
    caller: Caller,
    deadline: Deadline,
  ): ReturnType<TaskStore['insert']> {
    try {
      return await this.quota.run(
        puts.map(({ attachment }) => ({ bytes: attachment.bytes ?? 0 })),
        caller,
        () => this.store.insert(task, puts, event, deadline.leftMs(CACHE_TIMEOUT_MS)),
        (outcome) => (outcome === 'inserted' ? 0 : undefined),
      );
    } catch (error) {
      const isRefused = error instanceof DomainError && error.refusal.kind === 'quota-exceeded';
      if (isRefused && (await this.store.repeated(task, puts, deadline.leftMs()))) return 'id-taken';
      throw error;
    }
  }

  /** Throws everything that is wrong with any member. */
  private putsOf(task: Task, data: ReadonlyMap<string, JsonText>, caller: Caller): readonly AttachmentPut[] {
    const { id: taskId, createdAtMs } = task;
    const problems: FieldError[] = [];
    const puts = [...data].flatMap(([key, value]) => {
      try {
        const put = this.factory.draft({ taskId, key, type: 'json', value }, caller);
        return [put(mintStamp(this.ids, createdAtMs), createdAtMs)];
      } catch (error) {
        const errors = retiredDataErrors(key, error);
        if (!errors) throw error;
        problems.push(...errors);
        return [];
      }
    });
    refuseIfAny(problems);
    return puts;
  }

  private async fill(task: Task, puts: readonly AttachmentPut[], token: FillToken): Promise<void> {
    const { id: taskId, organization } = task;
    const attachments = puts.map(({ attachment }) => attachment);
    const fill = { taskId, organization, token, attachments, withBodies: true, complete: true, isNewTask: true };
    await unlessCacheIsDown(this.cache.fill([fill]));
  }
}
