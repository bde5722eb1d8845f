import type { ServiceMsg } from '@nats-io/services';
import type { NatsConnection } from '@nats-io/transport-node';
import type { CallIds } from '../correlation/call-ids';
import { replyHeaders, type NatsReply } from './nats-reply';

/** A reply with which more is on its way waits until the server has all of it; its call holds its room until then. */
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
