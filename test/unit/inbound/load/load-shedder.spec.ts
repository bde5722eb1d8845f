import { ByteBudget } from '../../../../src/inbound/load/byte-budget';
import { LoadShedder } from '../../../../src/inbound/load/load-shedder';
import { LoopTime } from '../../../../src/inbound/load/loop-time';
import { until } from '../../../support/poll';

const NEVER = 1_000_000;

describe('LoadShedder', () => {
  it('the process is overloaded while as many messages are in flight as allowed', async () => {
    const load = new LoadShedder({ maxInFlight: 2, maxEventLoopDelayMs: NEVER });
    const ends: (() => void)[] = [];
    const track = () => load.track(new Promise<void>((resolve) => ends.push(resolve)), 'a');
    const first = track();
    expect(load.isOverloaded).toBe(false);
    const second = track();
    expect(load.isOverloaded).toBe(true);
    ends.forEach((end) => end());
    await Promise.all([first, second]);
    expect(load.isOverloaded).toBe(false);
  });

  it('a message whose answer failed is no longer in flight', async () => {
    const load = new LoadShedder({ maxInFlight: 1, maxEventLoopDelayMs: NEVER });
    await expect(load.track(Promise.reject(new Error('failed')), 'a')).rejects.toThrow('failed');
    expect(load.isOverloaded).toBe(false);
    expect(await load.track(Promise.resolve('answer'), 'a')).toBe('answer');
  });

  it('a caller leaves time to those whose messages are taken on', async () => {
    const loopTime = new LoopTime();
    const noted = jest.spyOn(loopTime, 'noteMessage');
    const load = new LoadShedder({ maxInFlight: 1, maxEventLoopDelayMs: NEVER }, new ByteBudget(), loopTime);
    await load.track(Promise.resolve(), 'a');
    expect(noted.mock.calls).toEqual([['a']]);
  });

  it('of many requests that arrive at once, those of another sender are handled between those of the first', async () => {
    const load = new LoadShedder({ maxInFlight: NEVER, maxEventLoopDelayMs: NEVER });
    const handled: string[] = [];
    const arrive = async (sender: string) => {
      const turn = load.arrive(sender);
      if (turn) await turn;
      handled.push(sender);
    };
    const turns = [...Array<string>(500).fill('crowd'), 'modest'].map(arrive);
    expect(handled).toHaveLength(64);
    await Promise.all(turns);
    expect(handled.indexOf('modest')).toBeLessThanOrEqual(64 + 1);
    expect(handled).toHaveLength(501);
  });

  it('a sender whose requests had to wait is a caller whom time is left to', async () => {
    const loopTime = new LoopTime();
    const load = new LoadShedder({ maxInFlight: NEVER, maxEventLoopDelayMs: NEVER }, new ByteBudget(), loopTime);
    expect(load.arrive('probe')).toBeUndefined();
    await load.track(Promise.resolve(), 'a');
    expect(loopTime.isShared).toBe(false);
    await Promise.all(Array.from({ length: 65 }, async () => load.arrive('crowd')));
    expect(loopTime.isShared).toBe(true);
  });

  it('the process is overloaded while the event loop is late, and only then', async () => {
    const load = new LoadShedder({ maxInFlight: NEVER, maxEventLoopDelayMs: 100 });
    load.watchEventLoop();
    const late = setInterval(() => blockFor(500), 1);
    try {
      await until('the delay is noticed', () => load.isOverloaded);
    } finally {
      clearInterval(late);
    }
    await until('the delay is over', () => !load.isOverloaded);
  });

  it('a process that was stopped once is not overloaded when it goes on', () => {
    const load = new LoadShedder({ maxInFlight: NEVER, maxEventLoopDelayMs: 100 });
    const overloadedAfter = (meanMs: number) => {
      load.noteDelay(meanMs);
      return load.isOverloaded;
    };
    expect([10, 7000, 10, 7000, 101, 100, 101].map(overloadedAfter)).toEqual([
      false,
      false,
      false,
      false,
      true,
      false,
      false,
    ]);
  });
});

function blockFor(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}
