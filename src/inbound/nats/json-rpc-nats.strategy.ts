import { setTimeout as sleep } from 'node:timers/promises';
import { Svcm, type Service, type ServiceMsg } from '@nats-io/services';
import { Match, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import { Logger } from '@nestjs/common';
import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import type { Authenticator } from '../auth/authenticator';
import { isPrintableName } from '../auth/printable-name';
import type { CallDurations } from '../json-rpc/call-durations';
import { JsonRpc, type Outcome } from '../json-rpc/json-rpc';
import { overloaded } from '../json-rpc/json-rpc-error';
import type { LoadShedder } from '../load/load-shedder';
import { MessagesInFlight } from '../load/messages-in-flight';
import { EndpointTally } from './endpoint-tally';
import { errorHeaders, natsReply } from './nats-reply';
import { readNatsRequest, type NatsRequest } from './nats-request';

const SERVICE = 'dossier';
const QUEUE_GROUP = 'dossier';
const RETRY_AFTER_DENIAL_MS = 3000;

export interface JsonRpcNatsOptions {
  readonly maxBodyBytes: number;
  readonly instanceId: string;
  /** Semantic version that service discovery shows. */
  readonly version: string;
}

/**
 * Every method as a NATS subject of its own name, and the whole as one NATS service. Requests that come in before the
 * shutdown are answered; subscriptions come and go with the connection, which nothing here waits for.
 */
export class JsonRpcNatsStrategy extends Server implements CustomTransportStrategy {
  protected override readonly logger = new Logger(JsonRpcNatsStrategy.name);
  private readonly jsonRpc: JsonRpc;
  private readonly inFlight: MessagesInFlight;
  private service?: Promise<Service>;
  private isClosing = false;

  constructor(
    private readonly client: Promise<NatsConnection>,
    private readonly options: JsonRpcNatsOptions,
    private readonly authenticator: Authenticator,
    private readonly load: LoadShedder,
    durations: CallDurations,
  ) {
    super();
    this.jsonRpc = new JsonRpc(this.messageHandlers, durations);
    this.inFlight = new MessagesInFlight(load);
  }

  listen(listening: (error?: unknown) => void): void {
    void this.client.then((client) => this.keepServing(client));
    listening();
  }

  /** Takes no more requests, and resolves when those that are here have been answered. */
  async close(): Promise<void> {
    this.isClosing = true;
    await (await this.service)?.stop();
    await this.inFlight.drain();
  }

  override on(): never {
    throw new Error('JSON-RPC over NATS has no events');
  }

  override unwrap<T>(): T {
    return this.client as T;
  }

  /** The library ends the whole service when the server denies it one subject; what is denied may be allowed later. */
  private async keepServing(client: NatsConnection): Promise<void> {
    while (!this.isClosing) {
      this.service = this.serve(client);
      const error = await (await this.service).stopped;
      if (!error) return;
      this.logger.error(`no requests over NATS for now: ${error.message}`);
      await sleep(RETRY_AFTER_DENIAL_MS, undefined, { ref: false });
    }
  }

  private async serve(client: NatsConnection): Promise<Service> {
    const { version, instanceId } = this.options;
    const service = await new Svcm(client).add({
      name: SERVICE,
      version,
      description: 'Task attachments over JSON-RPC 2.0',
      metadata: { instanceId },
      queue: QUEUE_GROUP,
    });
    const tallies = new Map<string, EndpointTally>();
    for (const method of this.messageHandlers.keys()) {
      const tally = new EndpointTally();
      tallies.set(method, tally);
      service.addEndpoint(endpointName(method), {
        subject: method,
        handler: (_error, message) => {
          const answering = this.inFlight.carry(this.answer(method, message, client, tally));
          answering.catch((error: unknown) => this.logger.warn(`a reply was lost: ${String(error)}`));
        },
      });
    }
    showTallies(service, tallies);
    return service;
  }

  private async answer(
    method: string,
    message: ServiceMsg,
    client: NatsConnection,
    tally: EndpointTally,
  ): Promise<void> {
    const startedAtMs = performance.now();
    const request = readNatsRequest(method, message.data, this.options.maxBodyBytes);
    // Read all the same: a reply that its caller does not understand would leave it waiting.
    const outcome = this.load.isOverloaded ? { error: overloaded() } : await this.outcomeOf(request, message.headers);
    const reply = message.reply ? natsReply(request, outcome, client.info?.max_payload) : undefined;
    const error = reply?.error ?? ('error' in outcome ? outcome.error : undefined);
    tally.count(performance.now() - startedAtMs, error);
    if (reply) message.respond(reply.payload, { headers: error && errorHeaders(error) });
  }

  private async outcomeOf({ call }: NatsRequest, sent: MsgHdrs | undefined): Promise<Outcome> {
    if ('error' in call) return call;
    const readHeader = (name: string) =>
      sent?.has(name, Match.IgnoreCase) ? sent.get(name, Match.IgnoreCase) : undefined;
    const identity = await this.authenticator.identify(readHeader);
    const claimedName = readHeader('x-instance-id');
    const peer = isPrintableName(claimedName) ? claimedName : '';
    return this.jsonRpc.run(call, { transport: 'nats', identity, peer });
  }
}

/** A method's name without the dots, which a name of an endpoint may not have. */
function endpointName(method: string): string {
  return method.replaceAll('.', '-');
}

/** The library counts what a handler throws, and the time until it returns: neither says anything of ours. */
function showTallies(service: Service, tallies: ReadonlyMap<string, EndpointTally>): void {
  const countedByLibrary = service.stats.bind(service);
  service.stats = async () => {
    const stats = await countedByLibrary();
    const endpoints = stats.endpoints?.map((endpoint) => ({ ...endpoint, ...tallies.get(endpoint.subject)?.stats }));
    return { ...stats, endpoints };
  };
}
