import { setImmediate } from 'node:timers/promises';
import type { ServiceMsg } from '@nats-io/services';
import { ReplySender } from '../../../../src/inbound/nats/reply-sender';

const IDS = { requestId: 'r' };

/** How many replies of so many bytes have been sent, and of how many the sender waits for the server. */
function open() {
  const flushes: (() => void)[] = [];
  const flush = () => new Promise<void>((resolve) => flushes.push(resolve));
  const sender = new ReplySender({ flush });
  const counts = { sent: 0, ended: 0 };
  const message = { respond: () => (counts.sent += 1) } as unknown as ServiceMsg;
  const send = (bytes: number) =>
    sender.send(message, { payload: new Uint8Array(bytes) }, IDS, false).then(() => (counts.ended += 1));
  return { send, counts, flushes };
}

it('a small reply waits for nothing', async () => {
  const { send, counts } = open();
  await send(60_000);
  expect(counts).toEqual({ sent: 1, ended: 1 });
});

it('a large reply waits until the server has it', async () => {
  const { send, counts, flushes } = open();
  void send(70_000);
  await setImmediate();
  expect(counts).toEqual({ sent: 1, ended: 0 });
  flushes.shift()?.();
  await setImmediate();
  expect(counts).toEqual({ sent: 1, ended: 1 });
});

it('of many replies that are large only together, some wait until the server has them', async () => {
  const { send, counts, flushes } = open();
  for (let i = 0; i < 10; i++) void send(60_000);
  await setImmediate();
  expect(counts).toEqual({ sent: 10, ended: 5 });
  for (const resolve of flushes) resolve();
  await setImmediate();
  expect(counts).toEqual({ sent: 10, ended: 10 });
});
