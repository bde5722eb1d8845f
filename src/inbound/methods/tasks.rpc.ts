import { Ctx, Payload } from '@nestjs/microservices';
import { CancelTask } from '../../core/use-cases/tasks/cancel-task';
import { CompleteTask } from '../../core/use-cases/tasks/complete-task';
import { CreateTask } from '../../core/use-cases/tasks/create-task';
import { DeleteTask } from '../../core/use-cases/tasks/delete-task';
import { GetTask } from '../../core/use-cases/tasks/get-task';
import { GetUsage } from '../../core/use-cases/tasks/get-usage';
import { ListTasks } from '../../core/use-cases/tasks/list-tasks';
import { UpdateTask } from '../../core/use-cases/tasks/update-task';
import { CallContext } from '../json-rpc/call-context';
import { RpcController } from './rpc-controller';
import { RpcMethod } from './rpc-method';
import * as examples from './tasks.examples';
import {
  CompleteTaskParams,
  CreateTaskParams,
  ListTasksParams,
  TaskIdParams,
  UpdateTaskParams,
  UsageParams,
} from './tasks.params';
import {
  CANCELLED_TASK,
  COMPLETED_TASK,
  CREATED_TASK,
  DELETED_TASK,
  TASK,
  TASK_PAGE,
  UPDATED_TASK,
  USAGE,
  cancelledTaskView,
  completedTaskView,
  createdTaskView,
  deletedTaskView,
  taskPageView,
  taskView,
  updatedTaskView,
} from './tasks.view';

@RpcController()
export class TasksRpc {
  constructor(
    private readonly createTask: CreateTask,
    private readonly getTask: GetTask,
    private readonly updateTask: UpdateTask,
    private readonly completeTask: CompleteTask,
    private readonly cancelTask: CancelTask,
    private readonly listTasks: ListTasks,
    private readonly deleteTask: DeleteTask,
    private readonly getUsage: GetUsage,
  ) {}

  @RpcMethod('task.create', {
    summary: 'Creates a task.',
    description:
      'The task is `pending`. Give an `id` if you want to be able to repeat the call: then the same call returns what it ' +
      'returned the first time, with `replayed: true`. The id of a deleted task is never free again. `metadata.data` is ' +
      'retired: its members become json attachments.',
    role: 'write',
    result: CREATED_TASK,
    errors: ['TASK_NOT_FOUND', 'TASK_EXISTS', 'QUOTA_EXCEEDED'],
    failure: 'Failed to create task',
    examples: examples.CREATE_TASK,
  })
  async create(@Payload() params: CreateTaskParams, @Ctx() { caller, room }: CallContext): Promise<object> {
    return createdTaskView(await this.createTask.execute(params.toDraft(), caller, room));
  }

  @RpcMethod('task.get', {
    summary: 'Returns one task, with the number of its attachments.',
    description: 'Members that do not apply are absent; only `parentId` is null if the task has no parent.',
    role: 'read',
    result: TASK,
    errors: ['TASK_NOT_FOUND'],
    failure: 'Failed to retrieve task',
    examples: examples.GET_TASK,
  })
  async get(@Payload() params: TaskIdParams, @Ctx() { caller }: CallContext): Promise<object> {
    return taskView(await this.getTask.execute(params.toTaskId(), caller));
  }

  @RpcMethod('task.update', {
    summary: 'Changes members of a task.',
    description:
      'Members that are left out stay as they are. `pending` and `in_progress` may change to any status; `completed`, ' +
      '`failed` and `cancelled` are final. Other members of a finished task may still be changed.',
    role: 'write',
    destructive: true,
    idempotent: true,
    result: UPDATED_TASK,
    errors: ['TASK_NOT_FOUND', 'TASK_FINISHED'],
    failure: 'Failed to update task',
    examples: examples.UPDATE_TASK,
  })
  async update(@Payload() params: UpdateTaskParams, @Ctx() { caller }: CallContext): Promise<object> {
    return updatedTaskView(await this.updateTask.execute(params.toCommand(), caller));
  }

  @RpcMethod('task.complete', {
    summary: 'Finishes a task, with its result or its error.',
    description:
      'The `result` is stored as the json attachment `result`, in the same transaction. An `error` makes the task ' +
      '`failed`. A repeated call of the same worker with the same result or error returns what the first one returned.',
    role: 'write',
    destructive: true,
    idempotent: true,
    result: COMPLETED_TASK,
    errors: ['TASK_NOT_FOUND', 'TASK_FINISHED', 'QUOTA_EXCEEDED'],
    failure: 'Failed to complete task',
    examples: examples.COMPLETE_TASK,
  })
  async complete(@Payload() params: CompleteTaskParams, @Ctx() { caller }: CallContext): Promise<object> {
    return completedTaskView(await this.completeTask.execute(params.toCommand(), caller));
  }

  @RpcMethod('task.cancel', {
    summary: 'Cancels a task.',
    description: 'A task that is finished already is returned as it is.',
    role: 'write',
    destructive: true,
    idempotent: true,
    result: CANCELLED_TASK,
    errors: ['TASK_NOT_FOUND'],
    failure: 'Failed to cancel task',
    examples: examples.CANCEL_TASK,
  })
  async cancel(@Payload() params: TaskIdParams, @Ctx() { caller }: CallContext): Promise<object> {
    return cancelledTaskView(await this.cancelTask.execute(params.toTaskId(), caller));
  }

  @RpcMethod('task.list', {
    summary: 'Lists tasks, page by page.',
    description: 'All filters must match. The service does not hand out tasks: let one dispatcher do that.',
    role: 'read',
    result: TASK_PAGE,
    errors: [],
    failure: 'Failed to retrieve tasks',
    examples: examples.LIST_TASKS,
  })
  async list(@Payload() params: ListTasksParams, @Ctx() { caller, room }: CallContext): Promise<object> {
    return taskPageView(await this.listTasks.execute(params.toCommand(), caller, room));
  }

  @RpcMethod('task.usage', {
    summary: 'Returns how much the organisation of the caller has stored, and how much it may.',
    description:
      'Counted at the time of the call. Of an organisation with so much data that this takes more than half a second, the ' +
      'last count is returned for twenty times as long as it took.',
    role: 'read',
    callsPerMinute: 100,
    result: USAGE,
    errors: [],
    failure: 'Failed to retrieve usage',
    examples: examples.GET_USAGE,
  })
  async usage(@Payload() _params: UsageParams, @Ctx() { caller }: CallContext): Promise<object> {
    return await this.getUsage.execute(caller);
  }

  @RpcMethod('task.delete', {
    summary: 'Deletes a task with its sub-tasks and all their attachments.',
    description:
      'A task in progress is cancelled first. A large tree is deleted in steps; if the time of the call is not enough, the ' +
      'call fails with `TIMEOUT`, and the deletion is continued in the background.',
    role: 'admin',
    destructive: true,
    idempotent: true,
    callsPerMinute: 100,
    result: DELETED_TASK,
    errors: ['TASK_NOT_FOUND'],
    failure: 'Failed to delete task',
    examples: examples.DELETE_TASK,
  })
  async delete(@Payload() params: TaskIdParams, @Ctx() { caller }: CallContext): Promise<object> {
    return deletedTaskView(await this.deleteTask.execute(params.toTaskId(), caller));
  }
}
