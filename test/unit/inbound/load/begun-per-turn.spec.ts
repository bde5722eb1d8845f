import { setImmediate } from 'node:timers/promises';
import { BegunPerTurn } from '../../../../src/inbound/load/begun-per-turn';

it('what comes at once begins in parts, in its order, and other work is done in between', async () => {
  const turns = new BegunPerTurn();
  const begun: number[] = [];
  const all = Array.from({ length: 200 }, async (_, i) => {
    await turns.wait();
    begun.push(i);
  });
  const atEachTurn: number[] = [];
  for (let turn = 0; turn < 5; turn++) {
    await setImmediate();
    atEachTurn.push(begun.length);
  }
  await Promise.all(all);
  expect(atEachTurn[0]).toBeLessThan(200);
  expect(new Set(atEachTurn).size).toBeGreaterThan(2);
  expect(begun).toEqual(Array.from({ length: 200 }, (_, i) => i));
});

it('few at a time wait for nothing, again and again', async () => {
  const turns = new BegunPerTurn();
  for (let turn = 0; turn < 5; turn++) {
    expect(Array.from({ length: 64 }, () => turns.wait())).toEqual(Array(64).fill(undefined));
    await setImmediate();
  }
});
