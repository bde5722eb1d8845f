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

export class TaskIdParams {
  @Rule(taskIdProblem)
  id!: string;
}

export class CreateTaskParams implements TaskDraft, CrossChecked {
  @MayBeOmitted()
  @Rule(taskIdProblem)
  id?: string;

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
    return taskProblems(this);
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

  problems(): FieldError[] {
    const isEmpty = this.updates !== undefined && Object.keys(this.updates.toUpdates()).length === 0;
    return isEmpty ? [{ field: 'updates', message: 'must have at least one member' }] : [];
  }
}

export class CompleteTaskParams implements CrossChecked {
  @ValidateIf(({ id, taskId }: CompleteTaskParams) => id !== undefined || taskId === undefined)
  @Rule(taskIdProblem)
  id?: string;

  /** Another name for `id`. */
  @MayBeOmitted()
  @Rule(taskIdProblem)
  taskId?: string;

  @MayBeOmitted()
  @Rule(isActor)
  workerId?: string;

  @Json()
  result?: JsonText;

  /** Null is no error. */
  @Json()
  error?: JsonText;

  problems({ maxAttachmentBytes }: CoreSettings): FieldError[] {
    const problems: FieldError[] = [];
    const check = (field: string, message: string | undefined) => message && problems.push({ field, message });
    if (this.id !== undefined && this.taskId !== undefined && this.id !== this.taskId) {
      check('taskId', 'must be the same as id');
    }
    if (this.result)
      check('result', bodyProblems({ type: 'json', value: this.result }, maxAttachmentBytes)[0]?.message);
    if (this.error) check('error', this.error.problem());
    return problems;
  }

  toCommand(): CompleteTaskCommand {
    const { id, taskId, workerId, result, error } = this;
    return { taskId: (id ?? taskId) as string, workerId, result, error: error?.text === 'null' ? undefined : error };
  }
}

export class ListTasksParams implements CrossChecked {
  @MayBeOmitted()
  @Rule(isOneOf(TASK_STATUSES))
  status?: TaskStatus;

  @MayBeOmitted()
  @Rule(isActor)
  assignedTo?: string;

  @MayBeOmitted()
  @Rule(isNumber)
  priority?: number;

  @MayBeOmitted()
  @Rule(taskIdProblem)
  parentId?: string;

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
    const { order, ...command } = this;
    return { ...command, descending: order === 'desc' };
  }
}
