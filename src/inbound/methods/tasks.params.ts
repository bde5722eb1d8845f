import { ValidateIf } from 'class-validator';
import { bodyProblems } from '../../core/domain/attachment';
import type { FieldError } from '../../core/domain/domain-error';
import { taskIdProblem } from '../../core/domain/identifiers';
import type { JsonText } from '../../core/domain/json-text';
import { DEFAULT_TASKS_PER_PAGE, MAX_TASKS_PER_PAGE } from '../../core/domain/limits';
import { TASK_STATUSES, taskProblems, type TaskDraft, type TaskStatus, type TaskUpdates } from '../../core/domain/task';
import type { CoreSettings } from '../../core/ports/core-settings';
import type { CompleteTaskCommand } from '../../core/use-cases/tasks/complete-task';
import type { ListTasksCommand } from '../../core/use-cases/tasks/list-tasks';
import type { UpdateTaskCommand } from '../../core/use-cases/tasks/update-task';
import {
  isActor,
  isIntegerFrom,
  isNumber,
  isObject,
  isOneOf,
  isString,
  Json,
  MayBeOmitted,
  Nested,
  Rule,
  type CrossChecked,
} from './params-rules';

const ORDERS = ['createdAt', 'updatedAt', 'priority'] as const;

type EitherId = Readonly<Record<'id' | 'taskId', string | null | undefined>>;

/** Of two names that mean the same. */
function idProblems({ id, taskId }: Partial<EitherId>): FieldError[] {
  if (!isGiven(id) || !isGiven(taskId) || id === taskId) return [];
  return [{ field: 'taskId', message: 'must be the same as id' }];
}

/** The task of a method, by either name. */
export class TaskIdParams implements CrossChecked {
  @ValidateIf(({ id, taskId }: TaskIdParams) => isGiven(id) || !isGiven(taskId))
  @Rule(taskIdProblem)
  id?: string | null;

  @ValidateIf((_, taskId) => isGiven(taskId))
  @Rule(taskIdProblem)
  taskId?: string | null;

  problems(_settings: CoreSettings): FieldError[] {
    return idProblems(this);
  }

  toTaskId(): string {
    return (this.id ?? this.taskId) as string;
  }
}

function isGiven(member: unknown): boolean {
  return member !== undefined && member !== null;
}

export class CreateTaskParams implements CrossChecked {
  @MayBeOmitted()
  @Rule(taskIdProblem)
  id?: string;

  @MayBeOmitted()
  @Rule(taskIdProblem)
  taskId?: string;

  @Rule(isString)
  text!: string;

  @MayBeOmitted()
  @Rule(isNumber)
  priority?: number;

  @Json()
  metadata?: JsonText;

  @MayBeOmitted({ orNull: true })
  @Rule(taskIdProblem)
  parentId?: string | null;

  problems(): FieldError[] {
    return [...idProblems(this), ...taskProblems(this)];
  }

  toDraft(): TaskDraft {
    const { id, taskId, ...draft } = this;
    return { ...draft, id: id ?? taskId };
  }
}

export class TaskUpdatesParams implements CrossChecked {
  @MayBeOmitted()
  @Rule(isString)
  text?: string;

  @MayBeOmitted()
  @Rule(isOneOf(TASK_STATUSES))
  status?: TaskStatus;

  @MayBeOmitted()
  @Rule(isNumber)
  priority?: number;

  @Json()
  metadata?: JsonText;

  problems(): FieldError[] {
    return taskProblems(this);
  }

  /** Only the members that were given, because events announce the names of the changes. */
  toUpdates(): TaskUpdates {
    const given = Object.entries(this).filter(([, value]) => value !== undefined);
    return Object.fromEntries(given);
  }
}

export class UpdateTaskParams extends TaskIdParams implements CrossChecked {
  @Nested(TaskUpdatesParams)
  @Rule(isObject)
  updates!: TaskUpdatesParams;

  override problems(settings: CoreSettings): FieldError[] {
    const problems = super.problems(settings);
    const isEmpty = this.updates !== undefined && Object.keys(this.updates.toUpdates()).length === 0;
    return isEmpty ? [...problems, { field: 'updates', message: 'must have at least one member' }] : problems;
  }

  toCommand(): UpdateTaskCommand {
    return { taskId: this.toTaskId(), updates: this.updates.toUpdates() };
  }
}

export class CompleteTaskParams extends TaskIdParams implements CrossChecked {
  @MayBeOmitted()
  @Rule(isActor)
  workerId?: string;

  @Json()
  result?: JsonText;

  /** Null is no error. */
  @Json()
  error?: JsonText;

  override problems(settings: CoreSettings): FieldError[] {
    const problems = super.problems(settings);
    const check = (field: string, message: string | undefined) => message && problems.push({ field, message });
    if (this.result)
      check('result', bodyProblems({ type: 'json', value: this.result }, settings.maxAttachmentBytes)[0]?.message);
    if (this.error) check('error', this.error.problem());
    return problems;
  }

  toCommand(): CompleteTaskCommand {
    const { workerId, result, error } = this;
    return { taskId: this.toTaskId(), workerId, result, error: error?.text === 'null' ? undefined : error };
  }
}

function isStatusFilter(value: unknown): string | undefined {
  const statuses: unknown[] = Array.isArray(value) ? value : [value];
  const areKnown = statuses.every((status) => isOneOf(TASK_STATUSES)(status) === undefined);
  if (areKnown && statuses.length > 0 && new Set(statuses).size === statuses.length) return undefined;
  return `must be one of ${TASK_STATUSES.join(', ')}, or an array of some of them, each once`;
}

export class ListTasksParams implements CrossChecked {
  /** One, or several of which any will do. */
  @MayBeOmitted()
  @Rule(isStatusFilter)
  status?: TaskStatus | TaskStatus[];

  @MayBeOmitted()
  @Rule(isActor)
  assignedTo?: string;

  @MayBeOmitted()
  @Rule(isNumber)
  priority?: number;

  /** Null for tasks without a parent. */
  @MayBeOmitted({ orNull: true })
  @Rule(taskIdProblem)
  parentId?: string | null;

  @Rule(isIntegerFrom(1, MAX_TASKS_PER_PAGE))
  limit = DEFAULT_TASKS_PER_PAGE;

  @Rule(isIntegerFrom(0))
  offset = 0;

  @Rule(isOneOf(ORDERS))
  orderBy: (typeof ORDERS)[number] = 'createdAt';

  @Rule(isOneOf(['asc', 'desc']))
  order = 'asc';

  problems(): FieldError[] {
    return taskProblems({ priority: this.priority });
  }

  toCommand(): ListTasksCommand {
    const { order, status, ...command } = this;
    const statuses = status === undefined || Array.isArray(status) ? status : [status];
    return { ...command, statuses, descending: order === 'desc' };
  }
}
