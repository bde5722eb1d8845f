import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { PipelinedRequests } from '../../../../src/inbound/http/pipelined-requests';
import { until } from '../../../support/poll';
import { openConnection } from '../../../support/raw-http';

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const MAX_HANDLED = 8;

describe('requests that a client sends without waiting for replies', () => {
  let server: Server;
  let handled: ServerResponse[];

  beforeEach(async () => {
    handled = [];
    server = createServer((_request, response) => handled.push(response));
    new PipelinedRequests().install(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const send = async (requests: number): Promise<Socket> => {
    const socket = await openConnection(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    socket.write(REQUEST.repeat(requests));
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
    const socket = await send(100);
    const { socket: connection } = (handled[0] as ServerResponse).req;
    socket.destroy();
    await until('the connection has closed', () => connection.destroyed);
    for (const response of handled) response.end();
    for (let turns = 0; turns < 100; turns++) await setImmediate();
    expect(handled).toHaveLength(MAX_HANDLED);
  });

  it('end the connection if there are too many', async () => {
    const socket = await send(200);
    await once(socket, 'close');
    expect(handled).toHaveLength(MAX_HANDLED);
  });
});
