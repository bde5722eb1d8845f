import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { httpServerOptions } from '../../../../src/inbound/http/http-server-options';
import { PipelinedRequests } from '../../../../src/inbound/http/pipelined-requests';
import { until } from '../../../support/poll';
import { openConnection } from '../../../support/raw-http';

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const MAX_HANDLED = 8;

describe('requests that a client sends without waiting for replies', () => {
  let server: Server;
  let handled: ServerResponse[];
  let turnOf: (socket: Socket) => Promise<void> | undefined;

  beforeEach(async () => {
    handled = [];
    turnOf = () => undefined;
    server = createServer((request, response) => handled.push(response) && request.resume());
    server.on('clientError', httpServerOptions([]).clientErrorHandler as (error: Error, socket: Duplex) => void);
    new PipelinedRequests((socket) => turnOf(socket)).install(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const open = () => openConnection(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const send = async (requests: number, request = REQUEST): Promise<Socket> => {
    const socket = await open();
    // What is still under way when the server ends the connection, it refuses.
    socket.on('error', () => undefined).write(request.repeat(requests));
    await until('the first have come in', () => handled.length >= Math.min(requests, MAX_HANDLED));
    return socket.resume();
  };

  it('are handled a few at a time, each after an earlier reply has been sent', async () => {
    const socket = await send(20);
    for (let replies = 0; replies < 20; replies++) {
      expect(handled).toHaveLength(Math.min(20, MAX_HANDLED + replies));
      handled[replies]?.end();
      const expected = Math.min(20, MAX_HANDLED + replies + 1);
      await until('the next one has begun', () => handled.length === expected);
    }
    socket.destroy();
  });

  it('are not handled if the connection closes before their turn comes', async () => {
    const socket = await send(40);
    const { socket: connection } = (handled[0] as ServerResponse).req;
    socket.destroy();
    await until('the connection has closed', () => connection.destroyed);
    for (const response of handled) response.end();
    for (let turns = 0; turns < 100; turns++) await setImmediate();
    expect(handled).toHaveLength(MAX_HANDLED);
  });

  it('are handled when their turn comes, unless the connection has closed by then', async () => {
    const turns: { connection: Socket; begin: () => void }[] = [];
    turnOf = (connection) => new Promise((begin) => turns.push({ connection, begin }));
    const [hasty, patient] = [await open(), await open()];
    for (const socket of [hasty, patient]) socket.on('error', () => undefined).write(REQUEST);
    await until('both wait', () => turns.length === 2);
    const hastyTurn = turns.find(({ connection }) => connection.remotePort === hasty.localPort);
    hasty.destroy();
    await until('the connection has closed', () => hastyTurn?.connection.destroyed === true);
    expect(handled).toHaveLength(0);

    for (const { begin } of turns) begin();
    await until('the other one is handled', () => handled.length === 1);
    expect(handled[0]?.req.socket.remotePort).toBe(patient.localPort);
    patient.destroy();
  });

  it('end the connection if there are too many', async () => {
    const socket = await send(200);
    await until('the connection has closed', () => socket.closed);
    expect(handled).toHaveLength(MAX_HANDLED);
  });

  it.each([
    ['large', `content-length: 15000\r\n\r\n${' '.repeat(15_000)}`],
    ['missing, and their headers are large', `x-padding: ${'x'.repeat(15_000)}\r\n\r\n`],
    ['of unknown size', `transfer-encoding: chunked\r\n\r\n1\r\n \r\n0\r\n\r\n`],
  ])('end the connection if the bodies of those that wait are %s', async (_, rest) => {
    const socket = await send(MAX_HANDLED + 5, `POST / HTTP/1.1\r\nHost: localhost\r\n${rest}`);
    await until('the connection has closed', () => socket.closed);
    expect(handled).toHaveLength(MAX_HANDLED);
  });

  it('may have a hundred headers each: one with more is refused, or ends the connection if it has to wait', async () => {
    const withHeaders = (count: number) => `GET / HTTP/1.1\r\nHost: localhost\r\n${'a:\r\n'.repeat(count - 1)}\r\n`;
    const socket = await send(1, withHeaders(100));
    socket.write(withHeaders(101));
    await until('the connection has closed', () => socket.closed);
    expect(handled).toHaveLength(1);

    const refused = await open();
    let reply = '';
    refused.on('data', (data: Buffer) => (reply += data.toString())).write(withHeaders(101));
    await until('the connection has closed', () => refused.closed);
    expect(reply).toMatch(/^HTTP\/1\.1 431 /);
    expect(handled).toHaveLength(1);
  });

  it('may have bodies that are small together', async () => {
    const socket = await send(
      MAX_HANDLED + 32,
      `POST / HTTP/1.1\r\nHost: localhost\r\ncontent-length: 2000\r\n\r\n${' '.repeat(2000)}`,
    );
    for (let replies = 0; replies < MAX_HANDLED + 32; replies++) {
      await until('the next one has begun', () => handled.length > replies);
      handled[replies]?.end();
    }
    expect(socket.destroyed).toBe(false);
    socket.destroy();
  });
});
