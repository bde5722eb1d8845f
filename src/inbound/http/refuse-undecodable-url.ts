import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { taskIdProblem } from '../../core/domain/identifiers';
import { REQUEST_ID_HEADER } from '../correlation/request-id';
import { SAFE_HEADERS } from './front-door';
import { dropBody, MAX_UNREAD_BYTES } from './read-body';
import { invalidRequest, sendRest, TASK_DELETION } from './rest-reply';

/** For a URL that cannot be decoded, and therefore reaches no route. */
export function refuseUndecodableUrl(_error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  dropBody(request.raw, MAX_UNREAD_BYTES);
  const isTask = request.method === 'DELETE' && request.url.startsWith('/v1/tasks/');
  const malformedId = { field: 'id', message: taskIdProblem(undefined) as string };
  const detail = 'Bad request: the URL cannot be decoded';
  reply.headers({ ...SAFE_HEADERS, [REQUEST_ID_HEADER]: request.id });
  sendRest(reply, isTask ? invalidRequest(TASK_DELETION, [malformedId]) : { status: 400, detail });
}
