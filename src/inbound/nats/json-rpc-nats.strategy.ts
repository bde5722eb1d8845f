import { setTimeout as sleep } from 'node:timers/promises';
import { Svcm, type Service, type ServiceMsg } from '@nats-io/services';
import type { NatsConnection } from '@nats-io/transport-node';
import { Injectable, Logger } from '@nestjs/common';
import { Registry } from 'prom-client';
import { Tracing } from '../../core/ports/tracing';
import { Authenticator } from '../auth/authenticator';
import { isProven } from '../auth/credential';
import type { CallIds } from '../correlation/call-ids';
import { Readiness } from '../health/readiness';
import { CallDurations } from '../json-rpc/call-durations';
import { shareOf, type CallOrigin } from '../json-rpc/call-context';
import type { Outcome } from '../json-rpc/json-rpc';
import { overloaded } from '../json-rpc/json-rpc-error';
import { JsonRpcStrategy } from '../json-rpc/json-rpc.strategy';
import { completed } from '../json-rpc/json-scanner';
import { isLargeMessage } from '../json-rpc/parse-message';
import { RawParams } from '../json-rpc/raw-params';
import { BoundedLog } from '../load/bounded-log';
import { CountPerTurn } from '../load/count-per-turn';
import { LoadShedder } from '../load/load-shedder';
import { DroppedRequests } from './dropped-requests';
import { endpointMetadata } from './endpoint-metadata';
import { EndpointTally, showTallies } from './endpoint-tally';
import { natsOrigin, type NatsOrigin } from './nats-origin';
import { natsReply } from './nats-reply';
import { readNatsRequest, unreadNatsRequest, type NatsRequest } from './nats-request';
import { ReplyGuard } from './reply-guard';
import { ReplySender } from './reply-sender';

/** The name of the service, and of its queue group. */
const SERVICE = 'dossier';
const RESERVED = 'rpc.';
const RETRY_AFTER_DENIAL_MS = 3000;
/** How soon a change of the readiness is noticed; the beginning of the shutdown is noticed at once. */
const LOOK_MS = 100;
/** In one iteration of the event loop. A refusal costs as much as a small call, and a caller could have thousands. */
const MAX_REFUSALS_PER_TURN = 64;

export class JsonRpcNatsOptions {
  constructor(
    /** Pending until the first connection. */
    readonly client: Promise<NatsConnection>,
    readonly maxBodyBytes: number,
    readonly maxReplyBytes: number,
    readonly instanceId: string,
    /** Semantic version that service discovery shows. */
    readonly version: string,
    /** Of the inboxes of callers, besides `_INBOX`. */
    readonly inboxPrefix?: string,
    /** Before every name that this deployment uses on the server. */
    readonly prefix?: string,
  ) {}
}

/**
 * The methods over NATS: each is a subject of its own name, and the whole is one NATS service. It is there while this
 * replica is ready: the queue group sends the requests to the other replicas otherwise. Every request that has come in
 * gets its reply. Nothing here waits for the connection; the subscriptions come and go with it.
 */
@Injectable()
export class JsonRpcNatsStrategy extends JsonRpcStrategy {
  protected override readonly logger = new Logger(JsonRpcNatsStrategy.name);
  private readonly replies: ReplyGuard;
  private readonly dropped: DroppedRequests;
  private readonly refused = new CountPerTurn();
  private readonly closing = new AbortController();
  private readonly over: AbortSignal;
  private serving?: Promise<void>;

  constructor(
    private readonly options: JsonRpcNatsOptions,
    private readonly authenticator: Authenticator,
    private readonly load: LoadShedder,
    private readonly readiness: Readiness,
    private readonly durations: CallDurations,
    private readonly tracing: Tracing,
    registry: Registry,
  ) {
    super(load, durations, options.maxReplyBytes, tracing);
    this.over = AbortSignal.any([readiness.isOver, this.closing.signal]);
    this.dropped = new DroppedRequests(registry);
    this.replies = new ReplyGuard(
      options.inboxPrefix,
      this.dropped,
      new BoundedLog((line, ids) => this.logger.warn(line, ids)),
    );
  }

  listen(listening: (error?: unknown) => void): void {
    void this.options.client.then((client) => (this.serving = this.keepServing(client)));
    listening();
  }

  /** Takes no more requests, and resolves when those that were taken on have got their replies. */
  override async close(): Promise<void> {
    this.closing.abort();
    await this.serving;
    await super.close();
  }

  private async keepServing(client: NatsConnection): Promise<void> {
    while (!this.over.aborted) {
      if (this.readiness.isReady) await this.serveWhileReady(client);
      else await this.pause(LOOK_MS);
    }
  }

  /** If the server denies one subject, the library ends the whole service; the subject may be allowed later. */
  private async serveWhileReady(client: NatsConnection): Promise<void> {
    try {
      const service = await this.serve(client);
      while (this.readiness.isReady && !this.over.aborted && !service.isStopped) await this.pause(LOOK_MS);
      // The subscriptions are drained: what the server has sent before it knew is received, and gets its reply.
      const error = await service.stop();
      if (error) throw error;
    } catch (error) {
      this.logger.error(`no requests over NATS for now: ${(error as Error).message}`);
      await this.pause(RETRY_AFTER_DENIAL_MS);
    }
  }

  private async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { ref: false, signal: this.over }).catch(() => undefined);
  }

  private async serve(client: NatsConnection): Promise<Service> {
    const { version, instanceId, prefix } = this.options;
    const own = prefix === undefined ? SERVICE : `${prefix}-${SERVICE}`;
    const service = await new Svcm(this.replies.guard(client)).add({
      name: own,
      version,
      description: 'Task attachments over JSON-RPC 2.0',
      metadata: { instanceId },
      queue: own,
    });
    const sender = new ReplySender(client);
    const tallies = new Map<string, EndpointTally>();
    for (const method of this.messageHandlers.keys()) {
      // Other services may serve the reserved names on the same subjects; here, $SRV.INFO is what describes the
      // methods.
      if (method.startsWith(RESERVED)) continue;
      const tally = new EndpointTally();
      const subject = prefix === undefined ? method : `${prefix}.${method}`;
      tallies.set(subject, tally);
      service.addEndpoint(endpointName(method), {
        subject,
        metadata: endpointMetadata(method, client.info?.max_payload),
        handler: (_error, message) => {
          void this.inFlight.track(this.answer(method, message, sender, tally));
        },
      });
    }
    showTallies(service, tallies);
    return service;
  }

  /** Never rejects. */
  private async answer(method: string, message: ServiceMsg, sender: ReplySender, tally: EndpointTally): Promise<void> {
    const startedAtMs = performance.now();
    const origin = await natsOrigin(message.headers, this.authenticator, this.tracing.isOn);
    const share = shareOf(origin);
    // What is refused waits for nothing, and so takes no memory, however much of it comes in.
    const isTakenOn = !this.load.isOverloadedFor(share);
    if (!isTakenOn && this.refused.next() > MAX_REFUSALS_PER_TURN) return this.dropped.count('overloaded');
    const answering = this.answerFrom(origin, { method, message, sender, tally, startedAtMs, isTakenOn });
    await (isTakenOn ? this.load.track(answering, share) : answering);
  }

  private async answerFrom(
    origin: NatsOrigin,
    { method, message, sender, tally, startedAtMs, isTakenOn }: Received,
  ): Promise<void> {
    const { ids, gaveId } = origin;
    const share = shareOf(origin);
    const reservation = this.load.bytes.open(share);
    try {
      const hasRoom = reservation.take(message.data.length) && isTakenOn;
      const turn = hasRoom ? this.load.begun.wait(share) : undefined;
      await turn;
      const request = await this.read(method, message.data, origin, hasRoom);
      const isOneOfMany = turn !== undefined;
      const outcome = hasRoom
        ? await this.outcomeOf(request, { reservation, isOneOfMany, ...origin })
        : this.overloaded(ids);
      const limits = { maxReplyBytes: this.options.maxReplyBytes, maxPayloadBytes: sender.maxPayloadBytes };
      const reply = message.reply ? natsReply(request, outcome, limits) : undefined;
      const error = reply?.error ?? ('error' in outcome ? outcome.error : undefined);
      tally.count(performance.now() - startedAtMs, error);
      if (reply) await sender.send(message, reply, ids, gaveId);
    } catch (error) {
      this.logger.warn(`a reply was lost: ${String(error)}`, ids);
    } finally {
      reservation.end();
    }
  }

  /**
   * A large request waits for the earlier ones of its caller. It is not read if there is no room, in which it could
   * wait, or if its caller has proved nothing.
   */
  private async read(method: string, data: Uint8Array, origin: CallOrigin, hasRoom: boolean): Promise<NatsRequest> {
    const reading = readNatsRequest(method, data, this.options.maxBodyBytes);
    if (!isLargeMessage(data)) return completed(reading);
    const id = 'null';
    if (!isProven(origin.identity)) return unreadNatsRequest(data, { id, method, params: RawParams.NONE });
    const request = hasRoom ? await this.load.loopTime.take(shareOf(origin), reading) : undefined;
    return request ?? unreadNatsRequest(data, { id, error: overloaded() });
  }

  /** A small request is read even if it is refused: the form of the reply depends on it. */
  private outcomeOf({ call }: NatsRequest, origin: CallOrigin): Promise<Outcome> {
    if ('error' in call) {
      this.durations.rejected(call.error, origin.ids);
      return Promise.resolve(call);
    }
    return this.jsonRpc.run(call, origin);
  }

  private overloaded(ids: CallIds): Outcome {
    const error = overloaded();
    this.durations.rejected(error, ids);
    return { error };
  }
}

interface Received {
  readonly method: string;
  readonly message: ServiceMsg;
  readonly sender: ReplySender;
  readonly tally: EndpointTally;
  readonly startedAtMs: number;
  /** Otherwise it gets the reply that there is no room for it. */
  readonly isTakenOn: boolean;
}

/** The name of an endpoint may not have dots. */
function endpointName(method: string): string {
  return method.replaceAll('.', '-');
}
