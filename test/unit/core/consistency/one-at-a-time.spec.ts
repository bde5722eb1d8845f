import { setImmediate } from 'node:timers/promises';
import { OneAtATime } from '../../../../src/core/consistency/one-at-a-time';

describe('OneAtATime', () => {
  let works: OneAtATime;
  let begun: string[];
  let ends: Map<string, { resolve: (value: string) => void; reject: (error: Error) => void }>;
  beforeEach(() => {
    works = new OneAtATime();
    begun = [];
    ends = new Map();
  });

  const take = (name: string, of = 'a') =>
    works.take(of, () => {
      begun.push(name);
      return new Promise<string>((resolve, reject) => ends.set(name, { resolve, reject }));
    });

  it('lets the works of a name begin one after the other, whatever becomes of each', async () => {
    const [first, second, third] = [take('first'), take('second'), take('third')];
    expect(begun).toEqual(['first']);
    ends.get('first')?.reject(new Error('failed'));
    await expect(first).rejects.toThrow('failed');
    expect(begun).toEqual(['first', 'second']);
    ends.get('second')?.resolve('done');
    await expect(second).resolves.toBe('done');
    ends.get('third')?.resolve('done, too');
    await expect(third).resolves.toBe('done, too');

    void take('fourth');
    expect(begun).toEqual(['first', 'second', 'third', 'fourth']);
  });

  it('lets no name wait for another', () => {
    void take('first');
    void take('another', 'b');
    expect(begun).toEqual(['first', 'another']);
  });

  it('pauses before the next work of a name', async () => {
    const pauses: (() => void)[] = [];
    works = new OneAtATime(() => new Promise<void>((resolve) => pauses.push(resolve)));
    const [first, second] = [take('first'), take('second')];
    ends.get('first')?.resolve('done');
    await first;
    expect(begun).toEqual(['first']);
    pauses[0]?.();
    await setImmediate();
    expect(begun).toEqual(['first', 'second']);
    ends.get('second')?.resolve('done');
    await second;
  });
});
