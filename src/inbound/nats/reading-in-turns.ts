import type { Socket } from 'node:net';
import type { NatsConnection } from '@nats-io/transport-node';
import { CountPerTurn } from '../load/count-per-turn';

/** One read of the socket brings a few hundred small ones. */
const MAX_PER_TURN = 64;

/** The client has its socket, though its type does not say so; after a reconnection it is another one. */
type ConnectedClient = NatsConnection & { readonly protocol?: { readonly transport?: { readonly socket?: Socket } } };

/**
 * Reads no more from the server in this iteration of the event loop if many messages have come in it. Otherwise Node.js
 * would read megabytes at once while more come than can be handled, and nothing else would have its turn meanwhile.
 */
export class ReadingInTurns {
  private readonly received = new CountPerTurn();

  constructor(private readonly client: ConnectedClient) {}

  noteMessage(): void {
    if (this.received.next() !== MAX_PER_TURN) return;
    const socket = this.client.protocol?.transport?.socket;
    socket?.pause();
    setImmediate(() => socket?.resume());
  }
}
