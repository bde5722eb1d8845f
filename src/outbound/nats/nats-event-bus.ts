import { headers as newHeaders, type MsgHdrs, type NatsConnection as NatsClient } from '@nats-io/transport-node';
import type { DomainEvent } from '../../core/domain/domain-event';
import type { TraceContext } from '../../core/domain/trace-context';
import { EventBus } from '../../core/ports/event-bus';
import { TRACING_OFF, type Tracing } from '../../core/ports/tracing';
import type { NatsNames } from './nats-names';
import { publishSpan, traceHeaders } from './publish-span';
import { isWithoutJetStream, lackOf, openTaskEventsStream, type TaskEventsStream } from './task-events-stream';

const PUBLISH_TIMEOUT_MS = 2000;
/** How often a server without JetStream is asked whether it has it by now. */
const PLAIN_RECHECK_MS = 10_000;

export interface NatsEventBusOptions {
  /** Pending until the first connection. */
  readonly client: Promise<NatsClient>;
  readonly names: NatsNames;
  readonly tracing?: Tracing;
  /** Called once for as long as the server has no JetStream. */
  readonly onPlain: () => void;
}

interface EventMessage {
  readonly event: DomainEvent;
  readonly headers?: MsgHdrs;
}

/**
 * Publishes events to the stream of this deployment. A server without JetStream keeps nothing: events then reach only
 * those subscribers that listen at that moment.
 */
export class NatsEventBus extends EventBus {
  private connected?: NatsClient;
  /** Undefined until it is looked for. It resolves with undefined on a server without JetStream. */
  private stream?: Promise<TaskEventsStream | undefined>;
  private isPlain = false;

  constructor(private readonly options: NatsEventBusOptions) {
    super();
    void options.client.then((client) => this.follow(client));
  }

  async publish(event: DomainEvent, trace?: TraceContext): Promise<void> {
    const client = this.connected;
    // While disconnected, the client would queue the message, and another copy for each attempt.
    if (!client) throw new Error('not connected to NATS');
    const { tracing = TRACING_OFF, names } = this.options;
    const subject = names.subject(event.type);
    const send = (part?: TraceContext) => this.send(client, subject, { event, headers: part && traceHeaders(part) });
    if (!trace || !tracing.isOn) return send(trace);
    await tracing.span(publishSpan(subject, event, trace), ({ context }) => send(context));
  }

  private async send(client: NatsClient, subject: string, message: EventMessage): Promise<void> {
    const stream = await this.openedStream(client);
    await (stream ? this.publishToStream(client, stream, subject, message) : publishPlainly(client, subject, message));
  }

  private async publishToStream(
    client: NatsClient,
    stream: TaskEventsStream,
    subject: string,
    { event, headers }: EventMessage,
  ): Promise<void> {
    try {
      demand(stream, subject);
      await stream.client.publish(subject, JSON.stringify(event), {
        msgID: event.metadata.eventId,
        headers,
        expect: { streamName: stream.name },
        timeout: PUBLISH_TIMEOUT_MS,
      });
    } catch (error) {
      // The stream may have been deleted or changed, or JetStream disabled.
      this.stream = undefined;
      throw isWithoutJetStream(error) ? await this.causeOf(error, client, subject) : error;
    }
  }

  /** The client says that JetStream is not enabled if no stream takes the subject. The operator needs the cause. */
  private async causeOf(error: unknown, client: NatsClient, subject: string): Promise<Error> {
    try {
      const stream = await this.openedStream(client);
      if (!stream) return new Error('JetStream is not enabled any more', { cause: error });
      demand(stream, subject);
      return new Error(`the stream ${stream.name} was not there`, { cause: error });
    } catch (cause) {
      return cause as Error;
    }
  }

  private openedStream(client: NatsClient): Promise<TaskEventsStream | undefined> {
    this.stream ??= this.openStream(client);
    return this.stream;
  }

  private async openStream(client: NatsClient): Promise<TaskEventsStream | undefined> {
    try {
      const stream = await openTaskEventsStream(client, this.options.names);
      this.isPlain = false;
      return stream;
    } catch (error) {
      if (!isWithoutJetStream(error)) {
        this.stream = undefined;
        throw error;
      }
      if (!this.isPlain) this.options.onPlain();
      this.isPlain = true;
      setTimeout(() => (this.stream = undefined), PLAIN_RECHECK_MS).unref();
      return undefined;
    }
  }

  private async follow(client: NatsClient): Promise<void> {
    this.connected = client;
    for await (const { type } of client.status()) {
      if (type === 'disconnect') this.connected = undefined;
      else if (type === 'reconnect') {
        this.connected = client;
        this.stream = undefined;
      }
    }
    this.connected = undefined;
  }
}

/** Throws if the stream would not take the subject. */
function demand({ name, missingSubjects }: TaskEventsStream, subject: string): void {
  if (missingSubjects.includes(subject)) throw new Error(lackOf(name, missingSubjects));
}

async function publishPlainly(
  client: NatsClient,
  subject: string,
  { event, headers = newHeaders() }: EventMessage,
): Promise<void> {
  headers.set('Nats-Msg-Id', event.metadata.eventId);
  client.publish(subject, JSON.stringify(event), { headers });
  await client.flush();
}
