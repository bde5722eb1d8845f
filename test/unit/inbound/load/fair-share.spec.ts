import { FairShare } from '../../../../src/inbound/load/fair-share';

describe('FairShare', () => {
  const takeAll = (shares: FairShare, caller: string) => {
    let taken = 0;
    while (shares.take(caller, 1)) taken += 1;
    return taken;
  };

  it('a caller that is alone may have most of it, and leaves room for the next ones', () => {
    const shares = new FairShare(1000, 3);
    const [first, second, third] = ['a', 'b', 'c'].map((caller) => takeAll(shares, caller)) as [number, number, number];
    expect(first).toBe(750);
    expect(second).toBeGreaterThan(150);
    expect(third).toBeGreaterThan(30);
  });

  it('what is given back can be taken again', () => {
    const shares = new FairShare(8, 1);
    const taken = takeAll(shares, 'a');
    shares.giveBack('a', taken);
    expect(takeAll(shares, 'a')).toBe(taken);
  });

  it('more than there is cannot be taken, even by a caller that has nothing', () => {
    const shares = new FairShare(8, 3);
    expect(shares.take('a', 9)).toBe(false);
    expect(shares.take('a', 8)).toBe(true);
    expect(shares.isExhausted).toBe(true);
    expect(shares.take('b', 1)).toBe(false);
  });
});
