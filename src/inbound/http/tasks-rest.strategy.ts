import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { StoreError } from '../../core/ports/store-error';
import type { IsForeignTask } from '../../core/use-cases/tasks/is-foreign-task';
import type { Authenticator } from '../auth/authenticator';
import type { Lifecycle } from '../health/lifecycle';
import type { CallOrigin } from '../json-rpc/call-context';
import type { CallDurations } from '../json-rpc/call-durations';
import { JsonRpc } from '../json-rpc/json-rpc';
import { unexpected } from '../json-rpc/json-rpc-error';
import type { LoadShedder } from '../load/load-shedder';
import { MessagesInFlight } from '../load/messages-in-flight';
import { RawParams } from '../json-rpc/raw-params';
import { httpOrigin } from './http-origin';
import { RateLimitHeaders } from './rate-limit-headers';
import {
  DELETED,
  FOREIGN_TASK,
  MALFORMED_ID,
  restRefusal,
  sendRest,
  STOPPING,
  UNAVAILABLE,
  type RestReply,
} from './rest-reply';

const PATH = '/v1/tasks/';

/**
 * `DELETE /v1/tasks/{task_id}`: the method `task.delete` by another door, so that whatever guards, limits or measures
 * the one does so with the other. Must be started before the application listens.
 */
export class TasksRestStrategy extends Server implements CustomTransportStrategy {
  private readonly jsonRpc: JsonRpc;
  private readonly inFlight: MessagesInFlight;

  constructor(
    private readonly fastify: FastifyInstance,
    private readonly authenticator: Authenticator,
    private readonly isForeignTask: IsForeignTask,
    private readonly lifecycle: Lifecycle,
    private readonly load: LoadShedder,
    durations: CallDurations,
  ) {
    super();
    this.jsonRpc = new JsonRpc(this.messageHandlers, durations);
    this.inFlight = new MessagesInFlight(load);
  }

  listen(listening: (error?: unknown) => void): void {
    this.fastify.register((scope, _options, done) => {
      // Clients announce a content type, or send a body, with every verb: here neither matters.
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', (_request, body, parsed) => {
        body.resume();
        parsed(null);
      });
      // A wildcard, because it takes an id of any length and shape: a malformed one has an answer of its own.
      scope.delete(`${PATH}*`, (request, reply) => this.answer(request, reply));
      done();
    });
    listening();
  }

  close(): Promise<void> {
    return this.inFlight.drain();
  }

  override on(): never {
    throw new Error('REST has no events');
  }

  override unwrap<T>(): T {
    return this.fastify as T;
  }

  private async answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (this.lifecycle.isStopping) return sendRest(reply, STOPPING);
    if (this.load.isOverloaded) return sendRest(reply, UNAVAILABLE);
    const taskId = (request.params as { '*': string })['*'];
    const limits = new RateLimitHeaders();
    const deleting = httpOrigin(request, this.authenticator, limits.add).then((origin) => this.delete(taskId, origin));
    const answer = await this.inFlight.carry(deleting);
    return sendRest(reply.headers(limits.headers), answer);
  }

  private async delete(taskId: string, origin: CallOrigin): Promise<RestReply> {
    const params = { id: taskId };
    const call = { id: undefined, method: 'task.delete', params: new RawParams(params, () => JSON.stringify(params)) };
    const outcome = await this.jsonRpc.run(call, origin);
    if ('result' in outcome) return DELETED;
    const refusal = restRefusal(outcome.error);
    return refusal.status === 404 ? this.missing(taskId, origin, refusal) : refusal;
  }

  /** Only here is a task of another organisation told from a missing one: this endpoint is documented to. */
  private async missing(taskId: string, { identity }: CallOrigin, notFound: RestReply): Promise<RestReply> {
    try {
      const isForeign = 'caller' in identity && (await this.isForeignTask.execute(taskId, identity.caller));
      return isForeign ? FOREIGN_TASK : notFound;
    } catch (error) {
      return error instanceof StoreError ? UNAVAILABLE : restRefusal(unexpected(error, this.logger));
    }
  }
}

/** For a URL that cannot even be decoded, and therefore reaches no route. */
export function refuseUndecodableUrl(_error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const isTask = request.method === 'DELETE' && request.url.startsWith(PATH);
  sendRest(reply, isTask ? MALFORMED_ID : { status: 400, detail: 'Bad request: the URL cannot be decoded' });
}
