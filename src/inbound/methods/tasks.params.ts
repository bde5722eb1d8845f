import { ValidateIf } from 'class-validator';
import { bodyProblems } from '../../core/domain/attachment';
import type { FieldError } from '../../core/domain/domain-error';
import type { JsonText } from '../../core/domain/json-text';
import {
  DEFAULT_PRIORITY,
  DEFAULT_TASKS_PER_PAGE,
  MAX_RETIRED_MEMBERS,
  MAX_TASK_JSON_BYTES,
  MAX_TASKS_PER_PAGE,
} from '../../core/domain/limits';
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
  isOneOrSomeOf,
  isTaskId,
  isTaskText,
} from './member-rules';
import { Json, MayBeOmitted, Nested, Rule, type CrossChecked, type CrossSchema } from './params-rules';
import { JSON_VALUE, METADATA, PRIORITY, TTL_SECONDS } from './wire-schemas';

const ORDERS = ['createdAt', 'updatedAt', 'priority'] as const;

type EitherId = Readonly<Record<'id' | 'taskId', string | null | undefined>>;

/** For what `idProblems` refuses. */
const EQUAL_IDS: CrossSchema = { 'x-equal': ['id', 'taskId'] };

/** Of two names that mean the same. */
function idProblems({ id, taskId }: Partial<EitherId>): FieldError[] {
  if (!isGiven(id) || !isGiven(taskId) || id === taskId) return [];
  return [{ field: 'taskId', message: 'must be the same as id' }];
}

/** The task of a method, by either name. */
export class TaskIdParams implements CrossChecked {
  static readonly crossSchema: CrossSchema = {
    ...EQUAL_IDS,
    anyOf: ['id', 'taskId'].map((name) => ({ properties: { [name]: { type: 'string' } }, required: [name] })),
  };

  @ValidateIf(({ id, taskId }: TaskIdParams) => isGiven(id) || !isGiven(taskId))
  @Rule(isTaskId, { description: 'The id of the task: needed, unless `taskId` is given.' })
  id?: string | null;

  @ValidateIf((_, taskId) => isGiven(taskId))
  @Rule(isTaskId, { description: 'The same as `id`.' })
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
  static readonly crossSchema: CrossSchema = EQUAL_IDS;

  @MayBeOmitted()
  @Rule(isTaskId, { description: 'An id that was never used. With it, the call is safe to repeat.' })
  id?: string;

  @MayBeOmitted()
  @Rule(isTaskId, { description: 'The same as `id`.' })
  taskId?: string;

  @Rule(isTaskText)
  text!: string;

  @MayBeOmitted()
  @Rule(isNumber, { ...PRIORITY, description: `${PRIORITY.description} ${DEFAULT_PRIORITY} if it is left out.` })
  priority?: number;

  @Json({
    ...METADATA,
    description: `${METADATA.description} Its retired \`data\` has at most ${MAX_RETIRED_MEMBERS} members.`,
  })
  metadata?: JsonText;

  @MayBeOmitted({ orNull: true })
  @Rule(isTaskId, { description: 'The task of which this is a sub-task.' })
  parentId?: string | null;

  @MayBeOmitted()
  @Rule(isNumber, { ...TTL_SECONDS, description: 'After this time the task is deleted, with all that belongs to it.' })
  ttlSeconds?: number;

  problems(): FieldError[] {
    return [...idProblems(this), ...taskProblems(this)];
  }

  toDraft(): TaskDraft {
    const { id, taskId, ...draft } = this;
    return { id: id ?? taskId, ...draft };
  }
}

export class TaskUpdatesParams implements CrossChecked {
  @MayBeOmitted()
  @Rule(isTaskText)
  text?: string;

  @MayBeOmitted()
  @Rule(isOneOf(TASK_STATUSES), { description: 'Of a finished task it cannot be changed.' })
  status?: TaskStatus;

  @MayBeOmitted()
  @Rule(isNumber, PRIORITY)
  priority?: number;

  @Json({
    ...METADATA,
    description: 'Is merged into what is stored, member by member; a member that is null is removed.',
  })
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
  @Rule(isObject, { not: { additionalProperties: { type: 'null' } }, description: 'At least one member.' })
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
  @Rule(isActor, { description: 'The worker that has done it. If it is left out: the name of the caller.' })
  workerId?: string;

  @Json({
    ...JSON_VALUE,
    'x-maxJsonBytes': 'MAX_ATTACHMENT_BYTES',
    description:
      'Is stored as the json attachment `result`. At most MAX_ATTACHMENT_BYTES of JSON text. Null counts as left out.',
  })
  result?: JsonText;

  /** Null is no error. */
  @Json({
    ...JSON_VALUE,
    description: `Makes the task \`failed\`. At most ${MAX_TASK_JSON_BYTES} bytes of JSON text. Null is no error.`,
  })
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

/** The caller says it all. */
export class UsageParams {}

export class ListTasksParams implements CrossChecked {
  @MayBeOmitted()
  @Rule(isOneOrSomeOf(TASK_STATUSES), { description: 'One, or several of which any will do.' })
  status?: TaskStatus | TaskStatus[];

  @MayBeOmitted()
  @Rule(isActor, { description: 'Only tasks of this worker.' })
  assignedTo?: string;

  @MayBeOmitted()
  @Rule(isNumber, { ...PRIORITY, description: 'Only tasks of exactly this priority.' })
  priority?: number;

  @MayBeOmitted({ orNull: true })
  @Rule(isTaskId, {
    description: 'Only sub-tasks of this task; null: only tasks without a parent.',
    'x-null': 'only tasks without a parent',
  })
  parentId?: string | null;

  @Rule(isIntegerFrom(1, MAX_TASKS_PER_PAGE), { description: 'The most tasks to return.' })
  limit = DEFAULT_TASKS_PER_PAGE;

  @Rule(isIntegerFrom(0), { description: 'How many tasks to skip.' })
  offset = 0;

  @Rule(isOneOf(ORDERS), { description: 'Ties are ordered by id.' })
  orderBy: (typeof ORDERS)[number] = 'createdAt';

  @Rule(isOneOf(['asc', 'desc']), { description: 'With `orderBy: "priority"`, `desc` begins with the most urgent.' })
  order = 'asc';

  problems(): FieldError[] {
    return taskProblems({ priority: this.priority });
  }

  toCommand(): ListTasksCommand {
    const { order, status, ...command } = this;
    const statuses = status === undefined || Array.isArray(status) ? status : [status];
    return { statuses, descending: order === 'desc', ...command };
  }
}
