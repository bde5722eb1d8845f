import type { Caller } from '../../domain/caller';
import { createAttachment, type Attachment } from '../../domain/attachment';
import { DomainError, refuseIfAny, type FieldError } from '../../domain/domain-error';
import { attachmentCreated, taskCreated } from '../../domain/domain-event';
import { JsonText } from '../../domain/json-text';
import { CACHE_TIMEOUT_MS, MAX_ATTACHMENTS_PER_TASK } from '../../domain/limits';
import { createTask, splitRetiredData, taskNotFound, type Task, type TaskDraft } from '../../domain/task';
import type { AttachmentCache, FillToken } from '../../ports/attachment-cache';
import type { Clock } from '../../ports/clock';
import type { IdSource } from '../../ports/id-source';
import type { Metrics } from '../../ports/metrics';
import type { TaskStore } from '../../ports/task-store';
import type { CoreSettings } from '../../ports/core-settings';
import { Deadline } from '../../consistency/deadline';
import { CHUNK_SIZE } from '../../consistency/index-filler';
import type { ReplicaMemory } from '../../consistency/replica-memory';
import { unlessCacheIsDown } from '../../consistency/store-outage';
import { mintStamp } from '../../consistency/versioned-write';

const RETIRED_DATA =
  'metadata.data is retired: each of its members was stored as a json attachment; use task.create_attachment';

/** Creates a task; what still comes in `metadata.data` becomes its first attachments, in the same transaction. */
export class CreateTask {
  constructor(
    private readonly store: TaskStore,
    private readonly cache: AttachmentCache,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly metrics: Metrics,
    private readonly settings: CoreSettings,
    private readonly memory: ReplicaMemory,
  ) {}

  async execute(draft: TaskDraft, caller: Caller): Promise<{ task: Task; warnings: readonly string[] }> {
    const nowMs = this.clock.nowMs();
    const { metadata, data } = splitRetiredData(draft.metadata ?? JsonText.EMPTY_OBJECT);
    const task = createTask({ ...draft, metadata }, caller.organization, this.ids.suffix(), { by: caller.name, nowMs });
    const attachments = this.attachmentsOf(task, data ?? new Map());
    const deadline = new Deadline(this.clock);
    const cached = await unlessCacheIsDown(this.cache.readTask(task.id));

    const puts = attachments.map((attachment) => ({
      attachment,
      event: attachmentCreated(attachment, this.settings.instanceId),
    }));
    const outcome = await this.store.insert(
      task,
      puts,
      taskCreated(task, this.ids.op()),
      deadline.leftMs(CACHE_TIMEOUT_MS),
    );
    if (outcome === 'id-taken') throw new DomainError({ kind: 'task-exists', taskId: task.id });
    if (outcome === 'parent-missing') throw taskNotFound(task.parentId as string);

    for (const attachment of attachments) {
      this.memory.remember(attachment, { version: attachment.version, deleted: false, journaled: false });
    }
    // More would take more time than the call may have left; the first list sees to them.
    if (cached && attachments.length <= CHUNK_SIZE) await this.fill(task, attachments, cached.token);
    for (const { type } of attachments) this.metrics.attachmentCreated(type);
    return { task, warnings: data ? [RETIRED_DATA] : [] };
  }

  private attachmentsOf(task: Task, data: ReadonlyMap<string, JsonText>): Attachment[] {
    if (data.size > MAX_ATTACHMENTS_PER_TASK) {
      refuseIfAny([{ field: 'metadata.data', message: `must have at most ${MAX_ATTACHMENTS_PER_TASK} members` }]);
    }
    const problems: FieldError[] = [];
    const attachments = [...data].flatMap(([key, value]) => {
      try {
        return [this.attachmentOf(task, key, value)];
      } catch (error) {
        if (!(error instanceof DomainError && error.refusal.kind === 'invalid')) throw error;
        problems.push(...error.refusal.errors.map(({ message }) => ({ field: `metadata.data.${key}`, message })));
        return [];
      }
    });
    refuseIfAny(problems);
    return attachments;
  }

  private attachmentOf(task: Task, key: string, value: JsonText): Attachment {
    return createAttachment(
      { taskId: task.id, key, type: 'json', value },
      {
        nowMs: task.createdAtMs,
        stamp: mintStamp(this.ids, task.createdAtMs),
        idSuffix: this.ids.suffix(),
        createdBy: task.createdBy,
        maxBytes: this.settings.maxAttachmentBytes,
      },
    );
  }

  private async fill(task: Task, attachments: readonly Attachment[], token: FillToken): Promise<void> {
    const { id: taskId, organization } = task;
    const fill = { taskId, organization, token, attachments, withBodies: true, complete: true };
    await unlessCacheIsDown(this.cache.fill([fill]));
  }
}
