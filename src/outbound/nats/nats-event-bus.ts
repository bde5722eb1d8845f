import type { JetStreamClient } from '@nats-io/jetstream';
import { headers, type NatsConnection as NatsClient } from '@nats-io/transport-node';
import type { DomainEvent } from '../../core/domain/domain-event';
import { EventBus } from '../../core/ports/event-bus';
import { isWithoutJetStream, openTaskEventsStream, STREAM_NAME } from './task-events-stream';

const PUBLISH_TIMEOUT_MS = 2000;
/** How often a server without JetStream is asked whether it has it by now. */
const PLAIN_RECHECK_MS = 10_000;

export interface NatsEventBusOptions {
  /** Pending until the first connection. */
  readonly client: Promise<NatsClient>;
  /** Called once for as long as the server has no JetStream. */
  readonly onPlain: () => void;
}

/**
 * Publishes events to the stream TASK_EVENTS. A server without JetStream keeps nothing: events then reach only those
 * subscribers that listen at that moment.
 */
export class NatsEventBus extends EventBus {
  private connected?: NatsClient;
  /** Undefined until it is looked for. It resolves with undefined on a server without JetStream. */
  private stream?: Promise<JetStreamClient | undefined>;
  private isPlain = false;

  constructor(private readonly options: NatsEventBusOptions) {
    super();
    void options.client.then((client) => this.follow(client));
  }

  async publish(event: DomainEvent): Promise<void> {
    const client = this.connected;
    // While disconnected, the client would queue the message, and another copy for each attempt.
    if (!client) throw new Error('not connected to NATS');
    const stream = await this.openedStream(client);
    await (stream ? this.publishToStream(stream, event) : publishPlainly(client, event));
  }

  private async publishToStream(stream: JetStreamClient, event: DomainEvent): Promise<void> {
    try {
      await stream.publish(event.type, JSON.stringify(event), {
        msgID: event.metadata.eventId,
        expect: { streamName: STREAM_NAME },
        timeout: PUBLISH_TIMEOUT_MS,
      });
    } catch (error) {
      // The stream may have been deleted, or JetStream disabled.
      this.stream = undefined;
      throw error;
    }
  }

  private openedStream(client: NatsClient): Promise<JetStreamClient | undefined> {
    this.stream ??= this.openStream(client);
    return this.stream;
  }

  private async openStream(client: NatsClient): Promise<JetStreamClient | undefined> {
    try {
      const stream = await openTaskEventsStream(client);
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

async function publishPlainly(client: NatsClient, event: DomainEvent): Promise<void> {
  const messageHeaders = headers();
  messageHeaders.set('Nats-Msg-Id', event.metadata.eventId);
  client.publish(event.type, JSON.stringify(event), { headers: messageHeaders });
  await client.flush();
}
