import { METHODS } from 'node:http';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Tracing } from '../../core/ports/tracing';
import { Authenticator } from '../auth/authenticator';
import { isProven } from '../auth/credential';
import { Lifecycle } from '../health/lifecycle';
import { shareOf, type CallOrigin } from '../json-rpc/call-context';
import { CallDurations } from '../json-rpc/call-durations';
import { errorReply, type Outcome } from '../json-rpc/json-rpc';
import { unexpected, type JsonRpcError } from '../json-rpc/json-rpc-error';
import type { Steps } from '../json-rpc/json-scanner';
import { JsonRpcStrategy } from '../json-rpc/json-rpc.strategy';
import type { Presentation } from '../json-rpc/presentation';
import type { Call } from '../json-rpc/read-call';
import { RawParams } from '../json-rpc/raw-params';
import { LoadShedder } from '../load/load-shedder';
import { knownErrorOf } from '../methods/error-table';
import { httpOrigin, idsOf } from './http-origin';
import {
  METHOD_NOT_ALLOWED,
  OVERLOADED,
  refusalOfHeaders,
  refusalOfUnproven,
  SHUTTING_DOWN,
  type HttpRefusal,
} from './http-refusal';
import { MessageBodies, type Sender } from './message-bodies';
import type { MessageEndpoint, MessageReply } from './message-endpoint';
import { OpenRequest } from './open-request';
import { RateLimitHeaders } from './rate-limit-headers';
import { BodyError } from './read-body';
import { untilSent } from './until-sent';

const PATH = '/rpc';
const JSON_UTF_8 = 'application/json; charset=utf-8';

export class JsonRpcHttpOptions {
  constructor(
    readonly maxBodyBytes: number,
    readonly maxReplyBytes: number,
  ) {}
}

/**
 * The methods over HTTP: `POST /rpc` on the application's Fastify, further paths that take messages, and `run` for
 * endpoints that run a method. Such a path is a route of Fastify, not of Nest, because the text of a message counts:
 * Nest's routes see only the parsed body. Must be started before the application listens.
 */
@Injectable()
export class JsonRpcHttpStrategy extends JsonRpcStrategy {
  private readonly identified = new WeakMap<FastifyRequest, OpenRequest>();
  private readonly bodies: MessageBodies;
  private readonly endpoints: MessageEndpoint[] = [
    { path: PATH, needsProof: false, answer: (text, origin) => this.reply(text, origin) },
  ];

  constructor(
    private readonly adapterHost: HttpAdapterHost<FastifyAdapter>,
    private readonly options: JsonRpcHttpOptions,
    private readonly authenticator: Authenticator,
    private readonly lifecycle: Lifecycle,
    private readonly load: LoadShedder,
    private readonly durations: CallDurations,
    tracing: Tracing,
  ) {
    super(load, durations, options.maxReplyBytes, tracing);
    this.bodies = new MessageBodies(options.maxBodyBytes, load, (request) => this.senderOf(request));
  }

  /** Undefined while messages are taken on. */
  get refusal(): HttpRefusal | undefined {
    if (this.lifecycle.isStopping) return SHUTTING_DOWN;
    return this.load.isOverloaded ? OVERLOADED : undefined;
  }

  /**
   * Identifies the caller, and sets the headers of limits. The request is in flight from then on, until its reply has
   * been sent: a request that waits for the keys of a token issuer takes no place of one that can be answered. Throws
   * if the caller has too much in flight.
   */
  async takeOn<T>(
    request: FastifyRequest,
    reply: FastifyReply,
    answer: (origin: CallOrigin) => Promise<T>,
  ): Promise<T> {
    const identified = await this.identify(request, reply);
    if (this.load.isOverloadedFor(shareOf(identified.origin))) throw OVERLOADED.error;
    return this.track(identified, reply, answer);
  }

  /** Runs a method. Never rejects. */
  run(call: Omit<Call, 'id'>, origin: CallOrigin, presentation?: Presentation): Promise<Outcome> {
    return this.jsonRpc.run(call, origin, presentation);
  }

  /** Parses a message at its caller's expense. Throws a `JsonRpcError`. */
  parse(text: string, origin: CallOrigin): Promise<unknown> {
    return this.jsonRpc.parse(text, origin);
  }

  /** Does work that takes long, at the expense of a caller. Throws a `JsonRpcError`. */
  take<T>(work: Steps<T>, origin: CallOrigin): Promise<T> {
    return this.jsonRpc.take(work, origin);
  }

  /** For work that takes long and has no steps, before it is done. Throws a `JsonRpcError`. */
  async pay(tookMs: number, origin: CallOrigin): Promise<void> {
    if (!(await this.load.loopTime.pay(shareOf(origin), tookMs))) throw OVERLOADED.error;
  }

  get maxReplyBytes(): number {
    return this.options.maxReplyBytes;
  }

  /** Takes messages at one more path, under the same conditions. To be called before the start. */
  serve(endpoint: MessageEndpoint): void {
    this.endpoints.push(endpoint);
  }

  listen(listening: (error?: unknown) => void): void {
    const fastify = this.adapterHost.httpAdapter.getInstance<FastifyInstance>();
    // Otherwise a verb that Fastify does not know would be refused as an unknown path.
    for (const verb of METHODS) {
      if (!fastify.supportedMethods.includes(verb)) fastify.addHttpMethod(verb);
    }
    fastify.register((scope, _options, done) => {
      this.readBodies(scope);
      for (const endpoint of this.endpoints) this.addRoutes(scope, endpoint);
      done();
    });
    listening();
  }

  private readBodies(scope: FastifyInstance): void {
    this.bodies.readIn(scope);
    scope.setErrorHandler((error: Error, request, reply) => {
      if (!(error instanceof BodyError))
        return this.refuse(reply, { status: 500, error: unexpected(error, this.logger, idsOf(request)) });
      // Fastify would close the connection, and a client that is still sending might never read why.
      if (error.problem !== 'broken off') reply.removeHeader('connection');
      return this.refuse(reply, this.bodies.refusal(error, request));
    });
  }

  private addRoutes(scope: FastifyInstance, endpoint: MessageEndpoint): void {
    const { path: url, needsProof } = endpoint;
    scope.route({
      method: 'POST',
      url,
      onRequest: (request, reply, next) => {
        const refusal = this.refusal ?? refusalOfHeaders(request.headers);
        if (refusal) return this.refuseUnread(request, reply, refusal);
        void this.identify(request, reply).then(() => {
          const failure = needsProof ? this.failureOf(request) : undefined;
          if (failure) this.refuseUnread(request, reply, refusalOfUnproven(failure));
          else next();
        });
      },
      handler: (request, reply) => this.answer(request, reply, endpoint),
    });
    scope.route({
      method: scope.supportedMethods.filter((verb) => verb !== 'POST'),
      url,
      exposeHeadRoute: false,
      onRequest: (request, reply) => this.refuseUnread(request, reply, METHOD_NOT_ALLOWED),
      handler: () => undefined,
    });
  }

  private async identify(request: FastifyRequest, reply: FastifyReply): Promise<OpenRequest> {
    const limits = new RateLimitHeaders();
    const origin = await httpOrigin(request, this.authenticator, limits.add, (share) => this.load.bytes.open(share));
    const identified = new OpenRequest(origin, limits, untilSent(reply.raw));
    this.identified.set(request, identified);
    return identified;
  }

  private senderOf(request: FastifyRequest): Sender | undefined {
    const origin = this.identified.get(request)?.origin;
    return origin && { share: shareOf(origin), reservation: origin.reservation, failure: this.failureOf(request) };
  }

  /** Undefined if the caller of the request is known. */
  private failureOf(request: FastifyRequest): JsonRpcError | undefined {
    const identity = this.identified.get(request)?.origin.identity;
    return identity && !isProven(identity) ? knownErrorOf(identity, PATH, RawParams.NONE) : undefined;
  }

  private async reply(text: string, origin: CallOrigin): Promise<MessageReply> {
    const answer = await this.jsonRpc.reply(text, origin);
    return { status: answer === undefined ? 204 : 200, text: answer };
  }

  private async answer(request: FastifyRequest, reply: FastifyReply, endpoint: MessageEndpoint): Promise<FastifyReply> {
    // Other messages may have come in while the body did.
    const identified = this.identified.get(request);
    if (!identified) return this.refuse(reply, OVERLOADED);
    const share = shareOf(identified.origin);
    if (this.load.isOverloadedFor(share)) return this.refuse(reply, OVERLOADED);
    const text = this.bodies.text(request.body, share);
    const answer = await this.track(identified, reply, async (origin) => {
      const given = typeof text === 'string' ? text : await text;
      return given === undefined ? undefined : endpoint.answer(given, origin, request.headers);
    });
    if (!answer) return this.refuse(reply, OVERLOADED);
    // The client's next call then goes to another replica.
    if (this.lifecycle.isLeaving) reply.header('connection', 'close');
    reply.code(answer.status);
    return answer.text === undefined ? reply.send() : reply.type(answer.contentType ?? JSON_UTF_8).send(answer.text);
  }

  /** In flight until the reply has been sent. */
  private async track<T>(
    request: OpenRequest,
    reply: FastifyReply,
    answer: (origin: CallOrigin) => Promise<T>,
  ): Promise<T> {
    const { origin, limits } = request;
    const share = shareOf(origin);
    const turn = this.load.begun.wait(share);
    const answering = turn ? turn.then(() => answer({ isOneOfMany: true, ...origin })) : answer(origin);
    void this.inFlight.track(request.untilOver(answering), share);
    try {
      return await answering;
    } finally {
      reply.headers(limits.headers);
    }
  }

  /** Before the body is read. The rest of it is received: a client that is still sending might not read why. */
  private refuseUnread(request: FastifyRequest, reply: FastifyReply, refusal: HttpRefusal): void {
    this.bodies.drop(request);
    this.refuse(reply, refusal);
  }

  private refuse(reply: FastifyReply, { status, error, headers = {} }: HttpRefusal): FastifyReply {
    this.durations.rejected(error, idsOf(reply.request));
    return reply.code(status).headers(headers).type(JSON_UTF_8).send(errorReply(error, 'null'));
  }
}
