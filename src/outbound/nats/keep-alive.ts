import type { Socket } from 'node:net';
import type { NatsConnection } from '@nats-io/transport-node';

const INTERVAL_MS = 1000;
/** Of these in succession, nothing has come: a server that disappears silently is given up within three seconds. */
const MAX_SILENT_INTERVALS = 2;

/** The client has its socket, though its type does not say so; after a reconnection it is another one. */
type ConnectedClient = NatsConnection & { readonly protocol?: { readonly transport?: { readonly socket?: Socket } } };

/**
 * Pings the server, and gives it up when nothing at all comes from it. The own heartbeat of the client waits for the
 * answer, which comes after every message before it: beside a flood of requests it would give up a healthy server.
 * And it sends what is still queued before it disconnects: to a server that reads nothing, for a quarter of an hour.
 */
export class KeepAlive {
  private readonly timer: NodeJS.Timeout;
  private socket?: Socket;
  private received = 0;
  private silentIntervals = 0;

  constructor(private readonly client: ConnectedClient) {
    this.note();
    this.timer = setInterval(() => this.look(), INTERVAL_MS);
  }

  /** In bytes, over the present connection to the server. It tells whether anything has come since it was last read. */
  get bytesRead(): number {
    return this.client.protocol?.transport?.socket?.bytesRead ?? 0;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const { socket, received } = this;
    this.note();
    this.silentIntervals = this.socket === socket && this.received === received ? this.silentIntervals + 1 : 0;
    if (this.silentIntervals >= MAX_SILENT_INTERVALS) this.socket?.destroy();
    else this.client.flush().catch(() => undefined);
  }

  private note(): void {
    this.socket = this.client.protocol?.transport?.socket;
    this.received = this.bytesRead;
  }
}
