import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { Acceptors } from '../../../../src/inbound/http/acceptors';

const CONNECTIONS = 64;

describe('a server with acceptors', () => {
  let server: Server;
  let acceptors: Acceptors;
  let port: number;
  let clients: Socket[];

  beforeEach(async () => {
    server = createServer((_request, response) => response.end('served'));
    acceptors = new Acceptors(server);
    clients = [];
    await once(server.listen(0, '127.0.0.1'), 'listening');
    ({ port } = server.address() as AddressInfo);
  });

  afterEach(async () => {
    for (const client of clients) client.destroy();
    await acceptors.close();
    if (server.listening) await once(server.close(), 'close');
  });

  /** The kernel makes the connection, whatever this process does. */
  const openConnection = () => {
    const client = connect(port, '127.0.0.1');
    clients.push(client);
    return client;
  };

  /** The most connections that it accepts in one iteration of the event loop, of many that wait. */
  const acceptedAtOnce = async () => {
    let accepted = 0;
    const inIteration: number[] = [];
    server.on('connection', () => (accepted += 1));
    for (let i = 0; i < CONNECTIONS; i++) openConnection();
    while (accepted < CONNECTIONS) {
      const before = accepted;
      await setImmediate();
      inIteration.push(accepted - before);
    }
    return Math.max(...inIteration);
  };

  it('accepts sixteen connections in an iteration of the event loop, and one without them', async () => {
    expect(await acceptedAtOnce()).toBe(1);
    await acceptors.open();
    expect(await acceptedAtOnce()).toBe(16);
  });

  it('answers requests, whichever of them has accepted the connection', async () => {
    await acceptors.open();
    await acceptedAtOnce();
    const replies = clients.map(async (client) => {
      client.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      let reply = '';
      for await (const part of client) reply += String(part);
      return reply;
    });
    for (const reply of await Promise.all(replies)) expect(reply).toMatch(/^HTTP\/1\.1 200 OK[^]*served/);
  });

  it('refuses connections as soon as both are closed, and has ended when those that were accepted have', async () => {
    await acceptors.open();
    await acceptedAtOnce();
    let hasEnded = false;
    const ended = Promise.all([once(server.close(), 'close'), acceptors.close()]).then(() => (hasEnded = true));
    await expect(once(openConnection(), 'connect')).rejects.toThrow('ECONNREFUSED');
    expect(hasEnded).toBe(false);
    for (const client of clients) client.destroy();
    await ended;
  });

  it('accepts nothing more if it is closed while they are opened', async () => {
    const opening = acceptors.open();
    await acceptors.close();
    await opening;
    server.close();
    await expect(once(openConnection(), 'connect')).rejects.toThrow('ECONNREFUSED');
  });
});
