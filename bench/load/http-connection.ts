import { connect, type Socket } from 'node:net';

const TIMEOUT_MS = 10_000;
const END_OF_HEAD = Buffer.from('\r\n\r\n');

/**
 * One request at a time on a connection that is kept. `node:http` would take more CPU time for a request than the servers
 * that are measured take to reply to it, on the same cores.
 */
export class HttpConnection {
  private received: Buffer = Buffer.alloc(0);
  private waiting?: { resolve(body: string): void; reject(error: Error): void };

  private constructor(
    private readonly socket: Socket,
    private readonly head: string,
  ) {
    socket.setNoDelay();
    socket.on('data', (chunk) => this.take(chunk));
    socket.setTimeout(TIMEOUT_MS, () => this.fail(new Error('no reply in time')));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('the server has closed the connection')));
  }

  static open(url: string): Promise<HttpConnection> {
    const { hostname, port, pathname, host } = new URL(url);
    const head = `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ncontent-length: `;
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => resolve(new HttpConnection(socket, head)));
      socket.once('error', reject);
    });
  }

  /** The body of the reply. Rejects if the connection ends. */
  post(body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(`${this.head}${Buffer.byteLength(body)}\r\n\r\n${body}`);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    this.received = this.received.length > 0 ? Buffer.concat([this.received, chunk]) : chunk;
    const endOfHead = this.received.indexOf(END_OF_HEAD);
    if (endOfHead < 0) return;
    const head = this.received.toString('latin1', 0, endOfHead);
    const [, length] = /^content-length: *(\d+)$/im.exec(head) ?? [];
    if (length === undefined) return this.fail(new Error('the reply does not say how long it is'));
    const bodyAt = endOfHead + END_OF_HEAD.length;
    const end = bodyAt + Number(length);
    if (this.received.length < end) return;
    const body = this.received.toString('utf8', bodyAt, end);
    this.received = this.received.subarray(end);
    this.waiting?.resolve(body);
  }

  private fail(error: Error): void {
    this.waiting?.reject(error);
    this.socket.destroy();
  }
}
