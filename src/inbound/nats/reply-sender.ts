import type { ServiceMsg } from '@nats-io/services';
import type { NatsConnection } from '@nats-io/transport-node';
import type { CallIds } from '../correlation/call-ids';
import { replyHeaders, type NatsReply } from './nats-reply';

/** The reply that makes more of it waits until the server has them all, and with it what its caller holds. */
const MAX_UNFLUSHED_BYTES = 64 * 1024;

/** Sends replies. What the server has not received yet is in the memory of this process. */
export class ReplySender {
  private unflushedBytes = 0;

  constructor(private readonly client: Pick<NatsConnection, 'flush' | 'info'>) {}

  /** The limit of the server; undefined if it does not say. */
  get maxPayloadBytes(): number | undefined {
    return this.client.info?.max_payload;
  }

  /** Rejects if the reply is lost. */
  async send(message: ServiceMsg, { payload, error }: NatsReply, ids: CallIds, gaveId: boolean): Promise<void> {
    message.respond(payload, { headers: replyHeaders(error, ids, gaveId) });
    this.unflushedBytes += payload.length;
    if (this.unflushedBytes <= MAX_UNFLUSHED_BYTES) return;
    this.unflushedBytes = 0;
    await this.client.flush();
  }
}
