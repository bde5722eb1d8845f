import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** `requests` go to the server, `replies` come back. */
type Direction = 'requests' | 'replies';

export interface FaultProxy {
  readonly port: number;
  /** Ends every fault; what was held back arrives at once. */
  pass(): void;
  /** Breaks every connection, and each new one at once. */
  cut(): void;
  /**
   * Keeps all connections, accepts new ones, and lets nothing through, or only no replies. As on a real network nothing
   * is lost: what has been sent arrives when `pass` is called, even if its sender has given up.
   */
  silence(directions: 'both' | 'replies'): void;
  /** Each way takes `ms` longer. */
  delay(ms: number): void;
  /** Lets one more request through on each open connection, and breaks the connection in place of its reply. */
  dropReplies(): void;
  close(): Promise<void>;
}

interface Fault {
  readonly isCut: boolean;
  readonly delayMs: number;
  readonly silent: readonly Direction[];
}

const NO_FAULT: Fault = { isCut: false, delayMs: 0, silent: [] };

/** Stands between one client and one server on this machine, as a network that can fail. */
export async function startFaultProxy(serverPort: number): Promise<FaultProxy> {
  const proxy = new Proxy(serverPort);
  await proxy.listen();
  return proxy;
}

class Proxy implements FaultProxy {
  fault = NO_FAULT;
  private readonly connections = new Set<Connection>();
  private readonly server = createServer((client) => this.accept(client));

  constructor(private readonly serverPort: number) {}

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  pass(): void {
    this.change(NO_FAULT);
  }

  cut(): void {
    this.change({ ...NO_FAULT, isCut: true });
    for (const connection of this.connections) connection.end();
  }

  silence(directions: 'both' | 'replies'): void {
    this.change({ ...NO_FAULT, silent: directions === 'both' ? ['requests', 'replies'] : ['replies'] });
  }

  delay(ms: number): void {
    this.change({ ...NO_FAULT, delayMs: ms });
  }

  dropReplies(): void {
    for (const connection of this.connections) connection.dropNextReply();
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      for (const connection of this.connections) connection.end();
    });
  }

  private accept(client: Socket): void {
    if (this.fault.isCut) {
      client.destroy();
      return;
    }
    const connection = new Connection(client, connect(this.serverPort, '127.0.0.1'), () => this.fault);
    this.connections.add(connection);
    connection.onEnd = () => this.connections.delete(connection);
  }

  private change(fault: Fault): void {
    this.fault = fault;
    for (const connection of this.connections) connection.deliver();
  }
}

class Connection {
  onEnd: () => void = () => undefined;
  private readonly streams: Record<Direction, HeldStream>;
  private dropping: 'no' | 'after-request' | 'reply' = 'no';

  constructor(
    private readonly client: Socket,
    private readonly upstream: Socket,
    fault: () => Fault,
  ) {
    const whenDelivered = (direction: Direction) => this.note(direction);
    this.streams = {
      requests: new HeldStream('requests', client, upstream, fault, whenDelivered),
      replies: new HeldStream('replies', upstream, client, fault, whenDelivered),
    };
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on('close', () => client.destroyed && upstream.destroyed && this.onEnd());
    }
  }

  deliver(): void {
    this.streams.requests.deliver();
    this.streams.replies.deliver();
  }

  dropNextReply(): void {
    this.dropping = 'after-request';
  }

  end(): void {
    for (const socket of [this.client, this.upstream]) socket.destroy();
  }

  /** False if the bytes that are due must not be passed on. */
  private note(direction: Direction): boolean {
    if (this.dropping === 'after-request' && direction === 'requests') this.dropping = 'reply';
    else if (this.dropping === 'reply' && direction === 'replies') {
      this.end();
      return false;
    }
    return true;
  }
}

/** One way of a connection: what arrives goes on in its order, as soon as the fault of the moment allows. */
class HeldStream {
  /** Undefined stands for the end of the stream. */
  private readonly held: { readonly bytes?: Buffer; readonly arrivedAtMs: number }[] = [];
  private timer?: NodeJS.Timeout;

  constructor(
    private readonly direction: Direction,
    from: Socket,
    private readonly to: Socket,
    private readonly fault: () => Fault,
    private readonly mayPass: (direction: Direction) => boolean,
  ) {
    from.on('data', (bytes) => this.hold(bytes));
    from.on('error', () => undefined);
    from.on('close', () => this.hold());
  }

  deliver(): void {
    clearTimeout(this.timer);
    const { silent, delayMs } = this.fault();
    if (silent.includes(this.direction)) return;
    for (let first = this.held[0]; first; first = this.held[0]) {
      const waitMs = first.arrivedAtMs + delayMs - performance.now();
      if (waitMs > 0) {
        this.timer = setTimeout(() => this.deliver(), waitMs);
        return;
      }
      this.held.shift();
      if (!first.bytes) this.to.end(() => this.to.destroy());
      else if (this.mayPass(this.direction)) this.to.write(first.bytes);
    }
  }

  private hold(bytes?: Buffer): void {
    this.held.push({ bytes, arrivedAtMs: performance.now() });
    this.deliver();
  }
}
