import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { CancelTask } from '../../core/use-cases/tasks/cancel-task';
import { CompleteTask } from '../../core/use-cases/tasks/complete-task';
import { CreateTask } from '../../core/use-cases/tasks/create-task';
import { DeleteTask } from '../../core/use-cases/tasks/delete-task';
import { GetTask } from '../../core/use-cases/tasks/get-task';
import { ListTasks } from '../../core/use-cases/tasks/list-tasks';
import { UpdateTask } from '../../core/use-cases/tasks/update-task';
import { CallContext } from '../json-rpc/call-context';
import { RpcController } from './rpc-controller';
import { CompleteTaskParams, CreateTaskParams, ListTasksParams, TaskIdParams, UpdateTaskParams } from './tasks.params';
import {
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
  ) {}

  @MessagePattern('task.create')
  async create(@Payload() params: CreateTaskParams, @Ctx() { caller }: CallContext): Promise<object> {
    return createdTaskView(await this.createTask.execute(params.toDraft(), caller));
  }

  @MessagePattern('task.get')
  async get(@Payload() params: TaskIdParams, @Ctx() { caller }: CallContext): Promise<object> {
    return taskView(await this.getTask.execute(params.toTaskId(), caller));
  }

  @MessagePattern('task.update')
  async update(@Payload() params: UpdateTaskParams, @Ctx() { caller }: CallContext): Promise<object> {
    return updatedTaskView(await this.updateTask.execute(params.toCommand(), caller));
  }

  @MessagePattern('task.complete')
  async complete(@Payload() params: CompleteTaskParams, @Ctx() { caller }: CallContext): Promise<object> {
    return completedTaskView(await this.completeTask.execute(params.toCommand(), caller));
  }

  @MessagePattern('task.cancel')
  async cancel(@Payload() params: TaskIdParams, @Ctx() { caller }: CallContext): Promise<object> {
    return cancelledTaskView(await this.cancelTask.execute(params.toTaskId(), caller));
  }

  @MessagePattern('task.list')
  async list(@Payload() params: ListTasksParams, @Ctx() { caller, room }: CallContext): Promise<object> {
    return taskPageView(await this.listTasks.execute(params.toCommand(), caller, room));
  }

  @MessagePattern('task.delete')
  async delete(@Payload() params: TaskIdParams, @Ctx() { caller }: CallContext): Promise<object> {
    return deletedTaskView(await this.deleteTask.execute(params.toTaskId(), caller));
  }
}
