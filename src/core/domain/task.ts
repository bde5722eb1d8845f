import { DomainError, invalid, refuseIfAny, type FieldError } from './domain-error';
import { lengthProblem, newTaskId, storableTextProblem } from './identifiers';
import { integerProblem } from './integer-problem';
import { JsonText } from './json-text';
import { DEFAULT_PRIORITY, MAX_PRIORITY, MAX_TASK_JSON_BYTES, MAX_TASK_TEXT_LENGTH, MAX_TTL_SECONDS } from './limits';

export const TASK_STATUSES = ['pending', 'in_progress', 'completed', 'failed', 'cancelled'] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

/** Immutable: every change makes a new one. */
export interface Task {
  readonly id: string;
  readonly organization: string;
  readonly text: string;
  readonly status: TaskStatus;
  readonly priority: number;
  /** Always a JSON object. */
  readonly metadata: JsonText;
  readonly parentId: string | null;
  /** The worker that completed or failed the task. */
  readonly assignedTo?: string;
  readonly createdAtMs: number;
  readonly createdBy: string;
  readonly updatedAtMs: number;
  readonly updatedBy?: string;
  readonly completedAtMs?: number;
  readonly completedBy?: string;
  readonly cancelledAtMs?: number;
  readonly cancelledBy?: string;
  /** Why a failed task failed. */
  readonly error?: JsonText;
  /** When it is to be deleted, with all that belongs to it. Never changes. */
  readonly expiresAtMs?: number;
  /** Rises by one with every change: a change is stored only over the revision that it was made from. */
  readonly revision: number;
}

export interface TaskDraft {
  readonly id?: string;
  readonly text: string;
  readonly priority?: number;
  readonly metadata?: JsonText;
  readonly parentId?: string | null;
  readonly ttlSeconds?: number;
}

export type TaskUpdates = Partial<Pick<Task, 'text' | 'status' | 'priority' | 'metadata'>>;

/** What a worker says of a task that it completes. */
export interface TaskOutcome {
  readonly workerId?: string;
  /** Makes the task failed. */
  readonly error?: JsonText;
}

/** Who changes a task, and when. */
export interface Change {
  readonly by: string;
  readonly nowMs: number;
}

export function createTask(draft: TaskDraft, organization: string, idSuffix: string, { by, nowMs }: Change): Task {
  refuseIfAny(taskProblems(draft));
  refuseIfTooLarge('metadata', draft.metadata);
  return {
    id: draft.id ?? newTaskId(nowMs, idSuffix),
    organization,
    text: draft.text,
    status: 'pending',
    priority: draft.priority ?? DEFAULT_PRIORITY,
    metadata: draft.metadata ?? JsonText.EMPTY_OBJECT,
    parentId: draft.parentId ?? null,
    createdAtMs: nowMs,
    createdBy: by,
    updatedAtMs: nowMs,
    expiresAtMs: draft.ttlSeconds === undefined ? undefined : nowMs + draft.ttlSeconds * 1000,
    revision: 1,
  };
}

export function updateTask(task: Task, updates: TaskUpdates, change: Change): Task {
  refuseIfAny(taskProblems(updates).map(({ field, message }) => ({ field: `updates.${field}`, message })));
  const status = updates.status ?? task.status;
  if (status !== task.status) refuseIfFinished(task);
  // First the members to merge: to take a large object apart costs time, even if little is left of it.
  refuseIfTooLarge('updates.metadata', updates.metadata);
  const metadata = updates.metadata ? task.metadata.merge(updates.metadata) : task.metadata;
  if (updates.metadata) refuseIfTooLarge('updates.metadata', metadata);
  return {
    ...changed(task, change),
    ...(status === task.status ? {} : finish(status, change)),
    text: updates.text ?? task.text,
    priority: updates.priority ?? task.priority,
    metadata,
  };
}

export function completeTask(task: Task, outcome: TaskOutcome, change: Change): Task {
  const status = outcome.error ? 'failed' : 'completed';
  refuseIfFinished(task);
  refuseIfTooLarge('error', outcome.error);
  return {
    ...changed(task, change),
    ...finish(status, { ...change, by: outcome.workerId ?? change.by }),
    assignedTo: outcome.workerId ?? task.assignedTo,
    error: outcome.error,
  };
}

/** Whether the same worker has already completed the task, with the same error or without one. */
export function hasOutcome(task: Task, { workerId, error }: TaskOutcome, by: string): boolean {
  const isCompleted = task.status === 'completed' || task.status === 'failed';
  return isCompleted && task.completedBy === (workerId ?? by) && task.error?.text === error?.text;
}

/** A finished task is returned unchanged, as the same object. */
export function cancelTask(task: Task, change: Change): Task {
  if (isFinished(task.status)) return task;
  return { ...changed(task, change), ...finish('cancelled', change) };
}

function isFinished(status: TaskStatus): status is 'completed' | 'failed' | 'cancelled' {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

export function taskNotFound(taskId: string): DomainError {
  return new DomainError({ kind: 'task-not-found', taskId });
}

/** Everything wrong with the members of a task that a caller may set. */
export function taskProblems({ text, priority, metadata, ttlSeconds }: Partial<TaskDraft>): FieldError[] {
  const problems: FieldError[] = [];
  const check = (field: string, problem: string | undefined) => problem && problems.push({ field, message: problem });
  if (text !== undefined) check('text', textProblem(text));
  if (priority !== undefined) check('priority', integerProblem(priority, 0, MAX_PRIORITY));
  if (metadata) check('metadata', metadata.isObject ? metadata.problem() : 'must be an object');
  if (ttlSeconds !== undefined) check('ttlSeconds', integerProblem(ttlSeconds, 1, MAX_TTL_SECONDS));
  return problems;
}

function textProblem(text: string): string | undefined {
  if (text === '') return `must be 1 to ${MAX_TASK_TEXT_LENGTH} characters long`;
  return lengthProblem(text, MAX_TASK_TEXT_LENGTH) ?? storableTextProblem(text);
}

function changed(task: Task, { by, nowMs }: Change): Task {
  return { ...task, updatedAtMs: nowMs, updatedBy: by, revision: task.revision + 1 };
}

function finish(status: TaskStatus, { by, nowMs }: Change): Partial<Task> {
  if (!isFinished(status)) return { status };
  if (status === 'cancelled') return { status, cancelledAtMs: nowMs, cancelledBy: by };
  return { status, completedAtMs: nowMs, completedBy: by };
}

function refuseIfTooLarge(field: string, json: JsonText | undefined): void {
  if (json && json.sizeBytes > MAX_TASK_JSON_BYTES) {
    throw invalid(field, `must be at most ${MAX_TASK_JSON_BYTES} bytes, is ${json.sizeBytes}`);
  }
}

function refuseIfFinished({ id: taskId, status, ...task }: Task): void {
  if (!isFinished(status)) return;
  const finishedBy = task.completedBy ?? task.cancelledBy;
  const finishedAtMs = task.completedAtMs ?? task.cancelledAtMs;
  throw new DomainError({ kind: 'task-finished', taskId, status, finishedBy, finishedAtMs });
}
