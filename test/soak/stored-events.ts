import { jetstream, jetstreamManager, DeliverPolicy } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { DomainEvent } from '../../src/core/domain/domain-event';
import type { Announcements } from '../faults/outcome';

const STREAM = 'TASK_EVENTS';
const BATCH = 500;
const EXPIRES_MS = 5000;

/** Reads the events from the stream: unlike a subscriber, it misses nothing while NATS is down. */
export class StoredEvents implements Announcements {
  private readonly events: { readonly taskId: string; readonly id: string }[] = [];
  private lastSeq = 0;

  private constructor(private readonly connection: NatsConnection) {}

  static async open(servers: string): Promise<StoredEvents> {
    return new StoredEvents(await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 100 }));
  }

  async idsOf(taskIds: readonly string[]): Promise<string[]> {
    await this.readOn();
    const wanted = new Set(taskIds);
    return this.events.filter(({ taskId }) => wanted.has(taskId)).map(({ id }) => id);
  }

  /** How many messages the stream holds. */
  get count(): number {
    return this.lastSeq;
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  private async readOn(): Promise<void> {
    const manager = await jetstreamManager(this.connection);
    const { state } = await manager.streams.info(STREAM);
    if (state.last_seq <= this.lastSeq) return;
    const consumer = await jetstream(this.connection).consumers.get(STREAM, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: this.lastSeq + 1,
    });
    while (this.lastSeq < state.last_seq) {
      const max_messages = Math.min(BATCH, state.last_seq - this.lastSeq);
      for await (const message of await consumer.fetch({ max_messages, expires: EXPIRES_MS })) {
        const { payload, metadata } = message.json<DomainEvent>();
        this.events.push({ taskId: String(payload['taskId'] ?? payload['id']), id: metadata.eventId });
        this.lastSeq = message.seq;
      }
    }
  }
}
