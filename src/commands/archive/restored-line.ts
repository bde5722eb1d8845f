import { checkDraft, type Attachment, type AttachmentDraft } from '../../core/domain/attachment';
import { DomainError, refuseIfAny } from '../../core/domain/domain-error';
import { ATTACHMENT_ID_PATTERN, taskIdProblem } from '../../core/domain/identifiers';
import { integerProblem } from '../../core/domain/integer-problem';
import { JsonText } from '../../core/domain/json-text';
import { TASK_STATUSES, taskProblems, type Task, type TaskStatus } from '../../core/domain/task';
import { isOrganizationName } from '../../inbound/auth/printable-name';
import { LineMembers } from './line-members';

const ATTACHMENT_ID = new RegExp(ATTACHMENT_ID_PATTERN);
/** The clock reaches it in 2059. The versions of later writes are higher than this one, and stay below 2^53. */
const MAX_VERSION = 2 ** 52;

/**
 * The task in a line of an archive; `organization` goes before its own. Throws `DomainError` with everything that is
 * wrong with it.
 */
export function restoredTask(text: string, organization: string | undefined): Task {
  const record = new LineMembers(text);
  const parentId = record.optionalString('parentId') ?? null;
  const task: Task = {
    id: record.string('id'),
    organization: organization ?? record.string('organization'),
    text: record.string('text'),
    status: record.string('status') as Task['status'],
    priority: record.number('priority'),
    metadata: record.json('metadata') ?? JsonText.EMPTY_OBJECT,
    parentId,
    assignedTo: record.optionalName('assignedTo'),
    createdAtMs: record.time('createdAt'),
    createdBy: record.name('createdBy'),
    updatedAtMs: record.time('updatedAt'),
    updatedBy: record.optionalName('updatedBy'),
    completedAtMs: record.optionalTime('completedAt'),
    completedBy: record.optionalName('completedBy'),
    cancelledAtMs: record.optionalTime('cancelledAt'),
    cancelledBy: record.optionalName('cancelledBy'),
    expiresAtMs: record.optionalTime('expiresAt'),
    error: record.has('error') ? record.json('error') : undefined,
    revision: 1,
  };
  record.check('id', taskIdProblem(task.id));
  if (!isOrganizationName(task.organization)) record.check('organization', 'must be a printable name');
  if (parentId !== null) record.check('parentId', taskIdProblem(parentId));
  if (!TASK_STATUSES.includes(task.status)) record.check('status', `must be one of ${TASK_STATUSES.join(', ')}`);
  else checkEnd(record, task);
  refuseIfAny([...record.problems, ...taskProblems(task)]);
  return task;
}

/** A task has the time of its end from the change that has finished it, and no other one. */
function checkEnd(record: LineMembers, { status }: Task): void {
  const end = END_TIMES[status];
  for (const field of ['completedAt', 'cancelledAt'] as const) {
    if (record.has(field) === (field === end)) continue;
    record.check(field, field === end ? `is required of a task that is ${status}` : `contradicts the status ${status}`);
  }
}

const END_TIMES: Readonly<Record<TaskStatus, 'completedAt' | 'cancelledAt' | undefined>> = {
  pending: undefined,
  in_progress: undefined,
  completed: 'completedAt',
  failed: 'completedAt',
  cancelled: 'cancelledAt',
};

/** The attachment in a line of an archive; `op` is new. Throws `DomainError` with everything that is wrong with it. */
export function restoredAttachment(text: string, op: string, maxAttachmentBytes: number): Attachment {
  const record = new LineMembers(text);
  const draft: AttachmentDraft = {
    taskId: record.string('taskId'),
    key: record.string('key'),
    type: record.string('type') as AttachmentDraft['type'],
    value: record.json('value'),
    content: record.optionalString('content'),
    url: record.optionalString('url'),
    mimeType: record.optionalString('mimeType'),
    size: record.optionalNumber('size'),
  };
  const id = record.string('id');
  if (!ATTACHMENT_ID.test(id)) record.check('id', 'must be the id of an attachment');
  const version = record.number('version');
  record.check('version', integerProblem(version, 1, MAX_VERSION));
  // Odd ones belong to the expiry sweep.
  if (version % 2 !== 0) record.check('version', 'must be even');
  const rest = {
    createdBy: record.name('createdBy'),
    createdAtMs: record.time('createdAt'),
    updatedAtMs: record.time('updatedAt'),
    expiresAtMs: record.optionalTime('expiresAt'),
  };
  refuseIfAny(record.problems);
  return { ...checkDraft(draft, maxAttachmentBytes), ...rest, id, version, op };
}

/** What is wrong with a line, in one line. Throws any other error again. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof DomainError) || error.refusal.kind !== 'invalid') throw error;
  return error.refusal.errors.map(({ field, message }) => `${field} ${message}`).join('; ');
}
