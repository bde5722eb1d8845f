import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Get, Logger, Req, Res, UseFilters, UseGuards, type OnModuleDestroy } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { refuseIfAny, type FieldError } from '../../core/domain/domain-error';
import { taskIdProblem } from '../../core/domain/identifiers';
import { StoreError } from '../../core/ports/store-error';
import type { FollowEventsCommand } from '../../core/use-cases/events/follow-events';
import { Authenticator } from '../auth/authenticator';
import { CallContext } from '../json-rpc/call-context';
import { JsonRpcError, overloaded } from '../json-rpc/json-rpc-error';
import { RateLimitGuard } from '../methods/rate-limit.guard';
import { RoleGuard } from '../methods/role.guard';
import { cutConnection } from './cut-connection';
import { EventPages, type EventText, type Follower } from './event-pages';
import { EVENT_STREAM, EventStream } from './event-stream';
import { FollowerPlaces } from './follower-places';
import { idsOf } from './http-origin';
import { untilRevoked } from './until-revoked';
import { CallName, HttpCall, HttpCallGuard } from './http-call.guard';
import { restErrorFilter } from './rest-error.filter';
import { EVENTS, sendRest } from './rest-reply';

const POLL_MS = 200;
const RETRY_MS = 1000;
const HEARTBEAT_MS = 15_000;
const SLOW_READER_MS = 10_000;
/** Of the parameters that nobody knows. */
const MAX_NAMED = 10;

interface Ends {
  /** The reader has disconnected. */
  readonly gone: AbortSignal;
  /** Another caller has its place. */
  readonly lost: AbortSignal;
}

/** `GET /events`: what happens to the tasks of the caller's organisation, as server-sent events. */
@Controller()
@UseGuards(HttpCallGuard, RateLimitGuard, RoleGuard)
@UseFilters(restErrorFilter(EVENTS))
export class EventsController implements OnModuleDestroy {
  private readonly logger = new Logger(EventsController.name);
  private readonly shutdown = new AbortController();
  private readonly places = new FollowerPlaces();

  constructor(
    private readonly pages: EventPages,
    private readonly authenticator: Authenticator,
  ) {}

  onModuleDestroy(): void {
    this.shutdown.abort();
  }

  @Get('events')
  @CallName(EVENTS.name)
  async stream(
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @HttpCall() { credential, share }: CallContext,
  ): Promise<void> {
    const place = this.places.take(share);
    if (!place) throw overloaded();
    const gone = goneSignal(reply);
    try {
      const follower = { command: commandOf(request), credential, share };
      const first = await this.pages.read(follower, { behind: follower.command.after !== undefined, signal: gone });
      if (request.method === 'HEAD') sendRest(reply, { status: 200, headers: { 'content-type': EVENT_STREAM } });
      else await this.follow(request, reply, follower, first, { gone, lost: place.over });
    } catch (error) {
      if (!gone.aborted) throw error;
    } finally {
      this.places.giveBack(place);
    }
  }

  /** Until the reader disconnects, is too slow, or has lost its credential or its place, or this process stops. */
  private async follow(
    request: FastifyRequest,
    reply: FastifyReply,
    follower: Follower,
    first: EventText,
    { gone, lost }: Ends,
  ) {
    const { command, credential } = follower;
    reply.hijack();
    const response = reply.raw;
    response.setHeaders(new Map(Object.entries(reply.getHeaders()) as [string, string][]));
    const revoked = new AbortController();
    const over = AbortSignal.any([revoked.signal, lost, this.shutdown.signal]);
    const signal = AbortSignal.any([gone, over]);
    untilRevoked(request, this.authenticator, credential, signal).then(
      () => revoked.abort(),
      () => undefined,
    );
    const stream = new EventStream(response, SLOW_READER_MS);
    try {
      // Not the position behind the first page: the reader may disconnect before it has that page.
      await stream.open(command.after ?? first.position, signal);
      for (let page = first; ; page = await this.nextPage(follower, page, signal)) {
        if (page.text) await stream.send(page.text, signal);
        else if (stream.silentForMs >= HEARTBEAT_MS) await stream.sendHeartbeat(page.position, signal);
        if (!page.more) await sleep(POLL_MS, undefined, { signal });
      }
    } catch (error) {
      if (!isAbort(error)) this.logger.error(error, idsOf(request));
      if (over.aborted) stream.end();
      // Not the response: one that waits behind another on its connection would be kept until that one ends.
      else cutConnection(request.raw.socket);
    }
  }

  /** While the database is unavailable, or its share is used up, the reader waits: it might take an error for final. */
  private async nextPage(follower: Follower, { position, more }: EventText, signal: AbortSignal): Promise<EventText> {
    // A page without events sends nothing, and would not notice that the reader has gone.
    signal.throwIfAborted();
    const command = { ...follower.command, after: position };
    try {
      return await this.pages.read({ ...follower, command }, { behind: more, signal });
    } catch (error) {
      if (!(error instanceof StoreError || error instanceof JsonRpcError)) throw error;
      await sleep(RETRY_MS, undefined, { signal });
      return { text: '', position, more };
    }
  }
}

/** Aborts when the connection closes. */
function goneSignal({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  if (raw.destroyed || raw.req.socket.destroyed) gone.abort();
  else raw.on('close', () => gone.abort());
  return gone.signal;
}

/** Throws what is wrong with it. The header goes before the URL: a reader that resumes sends the header. */
function commandOf({ query, headers }: FastifyRequest): FollowEventsCommand {
  const { taskId, parentId, lastEventId, ...unknown } = query as Record<string, unknown>;
  const strangers = Object.keys(unknown).slice(0, MAX_NAMED);
  const errors: FieldError[] = strangers.map((field) => ({ field, message: 'is not a known parameter' }));
  for (const [field, id] of Object.entries({ taskId, parentId })) {
    const message = id === undefined ? undefined : taskIdProblem(id);
    if (message) errors.push({ field, message });
  }
  if (taskId !== undefined && parentId !== undefined) {
    errors.push({ field: 'parentId', message: 'must not be combined with taskId' });
  }
  const after = headers['last-event-id'] || lastEventId || undefined;
  if (after !== undefined && typeof after !== 'string') {
    errors.push({ field: 'lastEventId', message: 'must be given once' });
  }
  refuseIfAny(errors);
  return { taskId, parentId, after } as FollowEventsCommand;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
