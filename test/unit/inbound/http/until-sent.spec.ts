import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { untilSent } from '../../../../src/inbound/http/until-sent';
import { until } from '../../../support/poll';
import { openConnection } from '../../../support/raw-http';

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('untilSent', () => {
  let server: Server;
  let responses: ServerResponse[];
  let sent: boolean[];

  beforeEach(async () => {
    [responses, sent] = [[], []];
    server = createServer((_request, response) => {
      const i = responses.push(response) - 1;
      sent[i] = false;
      void untilSent(response).then(() => (sent[i] = true));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const send = async (requests: number) => {
    const socket = await openConnection(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    socket.write(REQUEST.repeat(requests));
    await until('the requests have come in', () => responses.length === requests);
    return socket.resume();
  };

  it('ends when the reply has been sent, and leaves nothing on a connection that stays open', async () => {
    const socket = await send(1);
    expect(sent).toEqual([false]);
    const [response] = responses as [ServerResponse];
    const listeners = response.req.socket.listenerCount('close');
    response.end('done');
    await until('the reply has been sent', () => sent[0] === true);
    expect(response.req.socket.destroyed).toBe(false);
    expect(response.req.socket.listenerCount('close')).toBeLessThan(listeners);
    socket.destroy();
  });

  it('ends for each request of a connection that closes, also for those whose replies wait for an earlier one', async () => {
    const socket = await send(20);
    responses[2]?.end('waits for the first');
    socket.destroy();
    await until('all have ended', () => sent.every(Boolean));
  });

  it('ends if the connection has closed before there is an answer', async () => {
    const socket = await send(2);
    const [, second] = responses as [ServerResponse, ServerResponse];
    const { socket: connection } = second.req;
    socket.destroy();
    await until('the connection has closed', () => connection.destroyed);
    await untilSent(second);
  });
});
