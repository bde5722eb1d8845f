import { Controller, Delete, Req, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { IsForeignTask } from '../../core/use-cases/tasks/is-foreign-task';
import type { CallOrigin } from '../json-rpc/call-context';
import { RawParams } from '../json-rpc/raw-params';
import { JsonRpcHttpStrategy } from './json-rpc-http.strategy';
import { restErrorFilter } from './rest-error.filter';
import { restRefusal, sendRest, TASK_DELETION, type RestReply } from './rest-reply';

const DELETED: RestReply = { status: 204 };
const FOREIGN_TASK: RestReply = { status: 403, detail: 'Forbidden: task belongs to a different organization' };

/**
 * `DELETE /v1/tasks/{task_id}` runs the method `task.delete`, and so passes its guards, its limits and its metrics.
 */
@Controller()
@UseFilters(restErrorFilter(TASK_DELETION))
export class TasksController {
  constructor(
    private readonly overHttp: JsonRpcHttpStrategy,
    private readonly isForeignTask: IsForeignTask,
  ) {}

  /** A wildcard, because a malformed id of any length and shape must reach the method: its refusal is documented. */
  @Delete('v1/tasks/*')
  async delete(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { refusal } = this.overHttp;
    if (refusal) throw refusal.error;
    const taskId = (request.params as { '*': string })['*'];
    const answer = await this.overHttp.takeOn(request, reply, (origin) => this.deleteTask(taskId, origin));
    sendRest(reply, answer);
  }

  private async deleteTask(id: string, origin: CallOrigin): Promise<RestReply> {
    const params = new RawParams({ id }, () => JSON.stringify({ id }));
    const outcome = await this.overHttp.run({ method: TASK_DELETION.name, params }, origin);
    if ('result' in outcome) return DELETED;
    if (outcome.error.data?.code === 'TASK_NOT_FOUND' && (await this.isForeign(id, origin))) return FOREIGN_TASK;
    return restRefusal(outcome.error, TASK_DELETION);
  }

  /** Only this endpoint tells a task of another organisation from a missing one, as documented. */
  private async isForeign(taskId: string, { identity }: CallOrigin): Promise<boolean> {
    return 'caller' in identity && this.isForeignTask.execute(taskId, identity.caller);
  }
}
