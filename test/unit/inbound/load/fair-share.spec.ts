import { FairShare } from '../../../../src/inbound/load/fair-share';

describe('FairShare', () => {
  const takeAll = (shares: FairShare, caller: string) => {
    let taken = 0;
    while (shares.take(caller, 1)) taken += 1;
    return taken;
  };

  it('a caller that is alone may have most of it, and leaves room for the next ones', () => {
    const shares = new FairShare(1000, 3 / 4);
    const [first, second, third] = ['a', 'b', 'c'].map((caller) => takeAll(shares, caller)) as [number, number, number];
    expect(first).toBe(750);
    expect(second).toBeGreaterThan(150);
    expect(third).toBeGreaterThan(30);
  });

  it('what is given back can be taken again', () => {
    const shares = new FairShare(8, 1 / 2);
    const taken = takeAll(shares, 'a');
    shares.giveBack('a', taken);
    expect(takeAll(shares, 'a')).toBe(taken);
  });

  it('no caller can have more than its part of what the others leave, even at once', () => {
    const shares = new FairShare(8, 3 / 4);
    expect(shares.take('a', 7)).toBe(false);
    expect(shares.take('a', 6)).toBe(true);
    expect(shares.take('b', 3)).toBe(false);
    expect(shares.take('b', 2)).toBe(true);
    expect(shares.isExhausted).toBe(true);
    expect(shares.take('c', 1)).toBe(false);
  });

  it('however little there is, a caller that is alone can have some', () => {
    expect(new FairShare(1, 3 / 4).take('a', 1)).toBe(true);
  });
});
