import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { NatsConnection } from '../../src/outbound/nats/nats-connection';
import { startNats } from '../support/nats-server';
import { until } from '../support/poll';

const MESSAGE_EVERY_MS = 100;
/** More than are waited for where the answers do not count. */
const UNANSWERED_PINGS = 5;
const SHORT_TIMEOUT_MS = 500;
const LONG_TIMEOUT_MS = 10 * SHORT_TIMEOUT_MS;
/** More than the buffers of both ends of a connection take. */
const QUEUED_MIB = 32;

/** Answers the first ping of each connection, and no other; what it has sent since then comes first. */
class ServerWithQueue {
  pings = 0;
  private readonly sockets = new Set<Socket>();
  private sending?: NodeJS.Timeout;
  private readonly server: Server = createServer((socket) => this.accept(socket));

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.sending = setInterval(() => this.sendAll('MSG subject 1 0\r\n\r\n'), MESSAGE_EVERY_MS);
    return `nats://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  beSilent(): void {
    clearInterval(this.sending);
  }

  async stop(): Promise<void> {
    this.beSilent();
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(socket: Socket): void {
    let isConnected = false;
    socket.write('INFO {"server_id":"queue","version":"2.10.0","headers":true,"max_payload":1048576}\r\n');
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      const pings = data.toString().split('PING').length - 1;
      if (pings === 0) return;
      if (isConnected) this.pings += pings;
      else socket.write('PONG\r\n', () => this.sockets.add(socket));
      isConnected = true;
    });
  }

  private sendAll(text: string): void {
    for (const socket of this.sockets) socket.write(text);
  }
}

describe('a connection to NATS', () => {
  const open = (url: string) => {
    const changes: string[] = [];
    const connection = new NatsConnection({ url, clientName: 'test', onChange: (state) => changes.push(state) });
    connection.connect();
    return { connection, changes };
  };

  it('is kept while messages come before the answers to its pings, and given up once nothing comes', async () => {
    const server = new ServerWithQueue();
    const { connection, changes } = open(await server.start());
    try {
      await connection.client;
      await until('pings wait for answers', () => server.pings >= UNANSWERED_PINGS);
      await connection.ping(SHORT_TIMEOUT_MS);
      expect(changes).toEqual(['up']);

      server.beSilent();
      await until('it is given up', () => changes.includes('down'));
    } finally {
      await connection.close();
      await server.stop();
    }
  });

  it('fails a ping whose connection ends before the answer, though bytes came', async () => {
    const server = new ServerWithQueue();
    const { connection } = open(await server.start());
    try {
      await connection.client;
      const ping = connection.ping(LONG_TIMEOUT_MS);
      const outcome = expect(ping).rejects.toThrow('disconnected');
      await until('the ping has arrived', () => server.pings > 0);
      await server.stop();
      await outcome;
    } finally {
      await connection.close();
      await server.stop();
    }
  });

  it('is given up if the server hangs while much is queued for it', async () => {
    const server = await startNats({ jetStream: false });
    const { connection, changes } = open(server.url);
    try {
      const client = await connection.client;
      server.pause();
      const mebibyte = new Uint8Array(2 ** 20);
      for (let i = 0; i < QUEUED_MIB; i++) client.publish('subject', mebibyte);
      await until('it is given up', () => changes.includes('down'));
      server.resume();
      await until('it is there again', () => changes.at(-1) === 'up');
      await connection.ping(LONG_TIMEOUT_MS);
    } finally {
      server.resume();
      await connection.close();
      await server.stop();
    }
  });
});
