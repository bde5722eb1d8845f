import { setImmediate } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { ReadingInTurns } from '../../../../src/inbound/nats/reading-in-turns';

/** A client with a socket, and whether that is being read. */
function open() {
  const socket = { isRead: true, pause: () => (socket.isRead = false), resume: () => (socket.isRead = true) };
  const client = { protocol: { transport: { socket } } } as unknown as NatsConnection;
  const reading = new ReadingInTurns(client);
  const receive = (count: number) => {
    for (let i = 0; i < count; i++) reading.noteMessage();
  };
  return { socket, client, receive };
}

it('after many messages in one iteration of the event loop, the socket is read again in the next one', async () => {
  const { socket, receive } = open();
  for (let turn = 0; turn < 3; turn++) {
    receive(200);
    expect(socket.isRead).toBe(false);
    await setImmediate();
    expect(socket.isRead).toBe(true);
  }
});

it('few messages in each iteration pause nothing, however many they are together', async () => {
  const { socket, receive } = open();
  for (let turn = 0; turn < 20; turn++) {
    receive(32);
    expect(socket.isRead).toBe(true);
    await setImmediate();
  }
});

it('the socket that was paused goes on, also if the client has another one by then', async () => {
  const { socket, client, receive } = open();
  receive(200);
  Object.assign(client, { protocol: { transport: {} } });
  await setImmediate();
  expect(socket.isRead).toBe(true);
  receive(200);
});
