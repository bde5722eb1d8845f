import { setImmediate } from 'node:timers/promises';
import { DiscoveryReplies } from '../../../../src/inbound/nats/discovery-replies';

/** Replies, of which the server has received those that were flushed. */
function open() {
  const flushes: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const flush = () => new Promise<void>((resolve, reject) => flushes.push({ resolve, reject }));
  const replies = new DiscoveryReplies({ flush });
  const answered: number[] = [];
  const ask = (count: number, first = 0) =>
    Array.from({ length: count }, (_, i) => replies.add(() => answered.push(first + i)));
  return { replies, ask, answered, flushes };
}

it('a question is answered at once, and the next one when the server has the reply', async () => {
  const { ask, answered, flushes } = open();
  expect(ask(3)).toEqual([true, true, true]);
  expect(answered).toEqual([0]);
  flushes.shift()?.resolve();
  await setImmediate();
  expect(answered).toEqual([0, 1]);
});

it('a reply that is lost with the connection does not hold up the next one', async () => {
  const { ask, answered, flushes } = open();
  ask(2);
  flushes.shift()?.reject(new Error('closed'));
  await setImmediate();
  expect(answered).toEqual([0, 1]);
});

it('a question that cannot be answered, as the connection has closed, does not hold up the next one', async () => {
  const { replies, ask, answered } = open();
  const fail = () => {
    throw new Error('closed');
  };
  expect(replies.add(fail)).toBe(true);
  await setImmediate();
  ask(1);
  expect(answered).toEqual([0]);
});

it('of a thousand questions at once few are answered, and later ones again', async () => {
  const { ask, answered, flushes } = open();
  const taken = ask(1000).filter(Boolean).length;
  expect(taken).toBeGreaterThan(1);
  expect(taken).toBeLessThan(100);
  for (let i = 0; i < taken; i++) {
    flushes.shift()?.resolve();
    await setImmediate();
  }
  expect(answered).toHaveLength(taken);
  expect(ask(1, 1000)).toEqual([true]);
  expect(answered.at(-1)).toBe(1000);
});
