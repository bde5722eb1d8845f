import type { Caller } from '../../domain/caller';
import { OPERATION_TIMEOUT_MS } from '../../ports/time-limits';
import type { Clock } from '../../ports/clock';
import type { Room } from '../../ports/room';
import type { CountedTask, TaskListQuery, TaskStore } from '../../ports/task-store';

export type ListTasksCommand = Omit<TaskListQuery, 'organization' | 'nowMs' | 'room'>;

export interface TaskPage {
  readonly tasks: readonly CountedTask[];
  readonly totalCount: number;
  readonly hasMore: boolean;
}

export class ListTasks {
  constructor(
    private readonly store: TaskStore,
    private readonly clock: Clock,
  ) {}

  async execute(command: ListTasksCommand, { organization }: Caller, room?: Room): Promise<TaskPage> {
    const query = { ...command, organization, nowMs: this.clock.nowMs(), room };
    const { tasks, totalCount } = await this.store.list(query, OPERATION_TIMEOUT_MS);
    return { tasks, totalCount, hasMore: command.offset + tasks.length < totalCount };
  }
}
