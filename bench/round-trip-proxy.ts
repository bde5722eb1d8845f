import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * A server's replies are passed on after it has been silent for this long. Everything that a client sends without
 * waiting for a reply arrives within this time, in any number of packets, and so counts as one round trip. It is short
 * enough for a call to fit between two rounds of the service's background work.
 */
const REPLY_HOLD_MS = 5;
const SETTLED_AFTER_MS = 4 * REPLY_HOLD_MS;
const SETTLE_TIMEOUT_MS = 10_000;

/**
 * A proxy before a server that counts round trips: how often a client waits for the server's replies, on any
 * connection.
 */
export class RoundTripProxy {
  private readonly sockets = new Set<Socket>();
  private held: (() => void)[] = [];
  private holdTimer?: NodeJS.Timeout;
  private readonly waiting = new Set<Socket>();
  private clientsHaveSpoken = false;
  private lastTrafficAtMs = 0;
  private count = 0;

  private constructor(
    private readonly listener: Server,
    private readonly serverPort: number,
  ) {
    listener.on('connection', (client) => this.forward(client));
  }

  static async before(serverPort: number): Promise<RoundTripProxy> {
    const listener = createServer({ noDelay: true }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new RoundTripProxy(listener, serverPort);
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  get roundTrips(): number {
    return this.count;
  }

  /** Resolves when nothing has passed for a while. The background work that a call causes is then finished too. */
  async settled(): Promise<void> {
    const giveUpAtMs = performance.now() + SETTLE_TIMEOUT_MS;
    while (this.waiting.size > 0 || performance.now() - this.lastTrafficAtMs < SETTLED_AFTER_MS) {
      if (performance.now() > giveUpAtMs) throw new Error('the service does not leave its store alone');
      await new Promise((wake) => setTimeout(wake, REPLY_HOLD_MS));
    }
  }

  async stop(): Promise<void> {
    clearTimeout(this.holdTimer);
    for (const socket of this.sockets) socket.destroy();
    this.listener.close();
    await once(this.listener, 'close');
  }

  private forward(client: Socket): void {
    const server = connect({ port: this.serverPort, host: '127.0.0.1', noDelay: true });
    client.on('data', (chunk) => {
      this.clientsHaveSpoken = true;
      this.waiting.add(client);
      this.lastTrafficAtMs = performance.now();
      server.write(chunk);
    });
    server.on('data', (chunk) => {
      this.waiting.delete(client);
      this.hold(() => client.write(chunk));
    });
    for (const [socket, peer] of [
      [client, server],
      [server, client],
    ] as const) {
      this.sockets.add(socket);
      socket.on('error', () => peer.destroy());
      socket.on('close', () => {
        this.sockets.delete(socket);
        this.waiting.delete(socket);
        peer.end();
      });
    }
  }

  private hold(reply: () => void): void {
    this.lastTrafficAtMs = performance.now();
    this.held.push(reply);
    clearTimeout(this.holdTimer);
    this.holdTimer = setTimeout(() => {
      const replies = this.held;
      this.held = [];
      // A reply may arrive in parts, of which only the first one was waited for.
      if (this.clientsHaveSpoken) this.count += 1;
      this.clientsHaveSpoken = false;
      for (const pass of replies) pass();
    }, REPLY_HOLD_MS);
  }
}
