import { isUtf8 } from 'node:buffer';
import { METHODS } from 'node:http';
import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Authenticator } from '../auth/authenticator';
import type { Lifecycle } from '../health/lifecycle';
import type { CallDurations } from '../json-rpc/call-durations';
import { errorReply, JsonRpc } from '../json-rpc/json-rpc';
import { unexpected } from '../json-rpc/json-rpc-error';
import type { LoadShedder } from '../load/load-shedder';
import { MessagesInFlight } from '../load/messages-in-flight';
import { httpOrigin } from './http-origin';
import {
  METHOD_NOT_ALLOWED,
  OVERLOADED,
  refusalOfBody,
  refusalOfHeaders,
  SHUTTING_DOWN,
  type HttpRefusal,
} from './http-refusal';
import { RateLimitHeaders } from './rate-limit-headers';

const PATH = '/rpc';
const JSON_UTF_8 = 'application/json; charset=utf-8';

export interface JsonRpcHttpOptions {
  readonly maxBodyBytes: number;
}

/**
 * `POST /rpc` on the application's own Fastify. A raw route, because the text of a message counts: Nest's routes know
 * only what a parser made of it. Must be started before the application listens.
 */
export class JsonRpcHttpStrategy extends Server implements CustomTransportStrategy {
  private readonly jsonRpc: JsonRpc;
  private readonly inFlight: MessagesInFlight;

  constructor(
    private readonly fastify: FastifyInstance,
    private readonly options: JsonRpcHttpOptions,
    private readonly authenticator: Authenticator,
    private readonly lifecycle: Lifecycle,
    private readonly load: LoadShedder,
    durations: CallDurations,
  ) {
    super();
    this.jsonRpc = new JsonRpc(this.messageHandlers, durations);
    this.inFlight = new MessagesInFlight(load);
  }

  listen(listening: (error?: unknown) => void): void {
    // So that every verb that Node can parse is refused as a verb, not as an unknown path.
    for (const verb of METHODS) {
      if (!this.fastify.supportedMethods.includes(verb)) this.fastify.addHttpMethod(verb);
    }
    this.fastify.register((scope, _options, done) => {
      this.addRoutes(scope);
      done();
    });
    listening();
  }

  close(): Promise<void> {
    return this.inFlight.drain();
  }

  override on(): never {
    throw new Error('JSON-RPC over HTTP has no events');
  }

  override unwrap<T>(): T {
    return this.fastify as T;
  }

  private addRoutes(scope: FastifyInstance): void {
    const { maxBodyBytes } = this.options;
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxBodyBytes }, (_request, body, parsed) =>
      parsed(null, body),
    );
    scope.setErrorHandler((error: FastifyError, _request, reply) => {
      // What is wrong with a body has a status; anything else is wrong with us.
      if (error.statusCode === undefined) return refuse(reply, { status: 500, error: unexpected(error, this.logger) });
      // Fastify would close the connection, and the client that is still sending might never see why.
      if (error.statusCode === 413) reply.removeHeader('connection');
      return refuse(reply, refusalOfBody(error.statusCode, maxBodyBytes));
    });
    scope.route({
      method: 'POST',
      url: PATH,
      onRequest: (request, reply, next) => {
        const refusal = this.refusal ?? refusalOfHeaders(request.headers);
        if (refusal) refuse(reply, refusal);
        else next();
      },
      handler: (request, reply) => this.answer(request, reply),
    });
    scope.route({
      method: scope.supportedMethods.filter((verb) => verb !== 'POST'),
      url: PATH,
      exposeHeadRoute: false,
      onRequest: (_request, reply) => void refuse(reply, METHOD_NOT_ALLOWED),
      handler: () => undefined,
    });
  }

  /** For whatever is sent while nothing more is taken on. */
  private get refusal(): HttpRefusal | undefined {
    if (this.lifecycle.isStopping) return SHUTTING_DOWN;
    return this.load.isOverloaded ? OVERLOADED : undefined;
  }

  private async answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    // Others may have come in while the body did.
    if (this.load.isOverloaded) return refuse(reply, OVERLOADED);
    const { body } = request;
    // Without a body there is no text, and bytes that are not UTF-8 are none either: both fail to parse.
    const text = Buffer.isBuffer(body) && isUtf8(body) ? body.toString() : '';
    const limits = new RateLimitHeaders();
    const replying = httpOrigin(request, this.authenticator, limits.add).then((origin) =>
      this.jsonRpc.reply(text, origin),
    );
    const answer = await this.inFlight.carry(replying);
    reply.headers(limits.headers);
    if (this.lifecycle.isStopping) reply.header('connection', 'close');
    return answer === undefined ? reply.code(204).send() : reply.type(JSON_UTF_8).send(answer);
  }
}

function refuse(reply: FastifyReply, { status, error, headers = {} }: HttpRefusal): FastifyReply {
  return reply.code(status).headers(headers).type(JSON_UTF_8).send(errorReply(error, 'null'));
}
