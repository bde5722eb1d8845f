import { ByteBudget } from '../../../../src/inbound/load/byte-budget';

const KIB = 1024;

describe('ByteBudget', () => {
  it('what a message holds is free again when it has ended, once', () => {
    const budget = new ByteBudget(100 * KIB);
    const first = budget.open('a');
    expect(first.take(50 * KIB)).toBe(true);
    const second = budget.open('a');
    expect(second.take(50 * KIB)).toBe(false);
    first.end();
    first.end();
    expect(second.take(50 * KIB)).toBe(true);
    // Five eighths of the other half.
    expect(budget.open('b').take(32 * KIB + 1)).toBe(false);
    expect(budget.open('b').take(31 * KIB)).toBe(true);
  });

  it('a call whose caller has hung up gets nothing more, and holds what it has until it ends', () => {
    const budget = new ByteBudget(100 * KIB);
    const gone = budget.open('a');
    gone.take(20 * KIB);
    gone.close();
    expect(gone.take(1)).toBe(false);
    expect(gone.exchange(10 * KIB, 11 * KIB)).toBe(false);
    expect(budget.open('b').take(51 * KIB)).toBe(false);
    gone.giveBack(10 * KIB);
    expect(budget.open('b').take(51 * KIB)).toBe(true);
    gone.end();
    gone.end();
    expect(budget.open('c').take(30 * KIB)).toBe(true);
  });

  it('a call that goes on after its message has ended gets nothing, and gives nothing back', () => {
    const budget = new ByteBudget(100 * KIB);
    const gone = budget.open('a');
    gone.take(10 * KIB);
    gone.end();
    expect(gone.take(1)).toBe(false);
    gone.giveBack(10 * KIB);
    expect(budget.open('b').take(63 * KIB)).toBe(false);
    expect(budget.open('b').take(62 * KIB)).toBe(true);
  });

  it('a caller that takes all it can, in however large parts, leaves three eighths to the others', () => {
    for (const part of [1, 10, 25, 62]) {
      const budget = new ByteBudget(100 * KIB);
      const greedy = budget.open('a');
      while (greedy.take(part * KIB));
      while (budget.open('a').take(KIB));
      expect(budget.open('b').take(23 * KIB)).toBe(true);
    }
  });

  it('the largest reply, and what is read for it, have room if the caller is alone', () => {
    const budget = new ByteBudget(100 * KIB);
    const message = budget.open('a');
    expect(message.take(budget.maxReplyBytes) && message.take(budget.maxReplyBytes)).toBe(true);
  });
});
