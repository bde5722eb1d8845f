import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { AcceptQueue } from '../../../../src/inbound/load/accept-queue';
import { until } from '../../../support/poll';

const CONNECTIONS = 64;

describe('connections that wait to be accepted', () => {
  it('are noticed by one in each of several iterations, and gone when an iteration has none', async () => {
    const queue = new AcceptQueue();
    const seen: boolean[] = [];
    for (let i = 0; i < 6; i++) {
      queue.accepted();
      seen.push(queue.isWaiting);
      await setImmediate();
    }
    expect(seen).toEqual([false, false, false, true, true, true]);
    await setImmediate();
    await setImmediate();
    expect(queue.isWaiting).toBe(false);
  });

  it('are not suspected behind single ones', async () => {
    const queue = new AcceptQueue();
    for (let i = 0; i < 10; i++) {
      queue.accepted();
      await setImmediate();
      await setImmediate();
      await setImmediate();
      expect(queue.isWaiting).toBe(false);
    }
  });

  it('are noticed by a server to which many have connected while it was busy', async () => {
    const queue = new AcceptQueue();
    let accepted = 0;
    let isNoticed = false;
    const server = createServer((socket) => {
      queue.accepted();
      accepted += 1;
      isNoticed ||= queue.isWaiting;
      socket.destroy();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    // The kernel makes the connections, whatever this process does.
    const clients = Array.from({ length: CONNECTIONS }, () => connect(port, '127.0.0.1').on('error', () => undefined));
    await until('all are accepted', () => accepted === CONNECTIONS);
    expect(isNoticed).toBe(true);
    for (const client of clients) client.destroy();
    server.close();
  });
});
