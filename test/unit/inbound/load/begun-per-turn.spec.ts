import { setImmediate } from 'node:timers/promises';
import { BegunPerTurn } from '../../../../src/inbound/load/begun-per-turn';

const ALONE = () => false;
const SHARED = () => true;

/** Asks for the turns of many requests at once; the callers in the order in which their requests begin. */
function askFor(turns: BegunPerTurn, requests: Readonly<Record<string, number>>): readonly string[] {
  const begun: string[] = [];
  for (const [caller, count] of Object.entries(requests)) {
    for (let i = 0; i < count; i++) {
      const turn = turns.wait(caller);
      if (turn) void turn.then(() => begun.push(`${caller}${i}`));
      else begun.push(`${caller}${i}`);
    }
  }
  return begun;
}

it('what comes at once begins in parts, in its order, and other work is done in between', async () => {
  const begun = askFor(new BegunPerTurn(ALONE), { a: 200 });
  const atEachTurn: number[] = [];
  for (let turn = 0; turn < 5; turn++) {
    await setImmediate();
    atEachTurn.push(begun.length);
  }
  expect(atEachTurn[0]).toBeLessThan(200);
  expect(new Set(atEachTurn).size).toBeGreaterThan(2);
  expect(begun).toEqual(Array.from({ length: 200 }, (_, i) => `a${i}`));
});

it('few at a time wait for nothing, again and again', async () => {
  const turns = new BegunPerTurn(SHARED, () => 0);
  for (let turn = 0; turn < 5; turn++) {
    expect(Array.from({ length: 64 }, () => turns.wait('a'))).toEqual(Array(64).fill(undefined));
    await setImmediate();
  }
});

it('callers begin one after the other, whoever has asked for most', async () => {
  const begun = askFor(new BegunPerTurn(SHARED, () => 0), { a: 200, b: 2, c: 1 });
  expect(begun).toHaveLength(64);
  await setImmediate();
  expect(begun.slice(64, 71)).toEqual(['a64', 'b0', 'c0', 'a65', 'b1', 'a66', 'a67']);
});

describe('after turns that took long', () => {
  /** How many begin in each turn, if each takes so long. */
  const begunInEachTurn = async (isShared: () => boolean, tookMs: number) => {
    let nowMs = 0;
    const turns = new BegunPerTurn(isShared, () => nowMs);
    const begun = askFor(turns, { a: 500 });
    const lengths = [begun.length];
    for (let turn = 0; turn < 6; turn++) {
      nowMs += tookMs;
      await setImmediate();
      lengths.push(begun.length);
    }
    return lengths.slice(1).map((length, turn) => length - (lengths[turn] as number));
  };

  it('fewer requests begin in one, but a few always, while there are several callers', async () => {
    expect(await begunInEachTurn(SHARED, 20)).toEqual([32, 16, 8, 4, 4, 4]);
  });

  it('a caller that is alone has as many as before', async () => {
    expect(await begunInEachTurn(ALONE, 20)).toEqual([64, 64, 64, 64, 64, 64]);
  });

  it('there are as many as before again when turns are short', async () => {
    let nowMs = 0;
    const turns = new BegunPerTurn(SHARED, () => nowMs);
    for (let turn = 0; turn < 10; turn++) {
      askFor(turns, { a: 1 });
      nowMs += turn < 3 ? 20 : 1;
      await setImmediate();
    }
    expect(askFor(turns, { a: 100 })).toHaveLength(64);
  });
});
