import { LoopTime } from '../../../../src/inbound/load/loop-time';

class VirtualClock {
  private ms = 0;
  /** Is called when time has passed. */
  passed: () => void = () => undefined;

  monotonicMs(): number {
    return this.ms;
  }

  workedMs(): number {
    return this.ms;
  }

  sleep(ms: number): Promise<void> {
    this.ms += ms;
    this.passed();
    return Promise.resolve();
  }
}

describe('LoopTime', () => {
  let clock: VirtualClock;
  let loopTime: LoopTime;
  beforeEach(() => {
    clock = new VirtualClock();
    loopTime = new LoopTime(clock);
    keepOthersCalling();
  });
  /** A caller is not alone: only then does it leave time to others. */
  const keepOthersCalling = () => {
    clock.passed = () => loopTime.noteMessage('another caller');
    clock.passed();
  };
  const leaveAlone = () => (clock.passed = () => undefined);
  /** Blocks the event loop for so long, in each of the steps. */
  function* blocking(ms: number, steps = 1): Generator<void, 'done'> {
    for (let i = 0; i < steps; i++) {
      if (i > 0) yield;
      void clock.sleep(ms);
    }
    return 'done';
  }
  const startedAfterMs = async (caller: string) => {
    const [askedAtMs, startedAtMs] = [clock.monotonicMs(), await loopTime.take(caller, now())];
    return startedAtMs === undefined ? undefined : startedAtMs - askedAtMs;
  };
  /** Takes no time. */
  const now = (): Iterator<void, number> => ({ next: () => ({ done: true, value: clock.monotonicMs() }) });

  it('lets a caller that takes little wait for nothing', async () => {
    for (let i = 0; i < 100; i++) {
      expect(await startedAfterMs('a')).toBe(0);
      await loopTime.take('a', blocking(2));
      await clock.sleep(10);
    }
  });

  it('lets a caller that takes much have a quarter of the time, and another caller wait for nothing', async () => {
    let takenMs = 0;
    while (clock.monotonicMs() < 100_000) {
      await loopTime.take('a', blocking(20, 10));
      takenMs += 200;
      expect(await startedAfterMs('b')).toBe(0);
    }
    expect(takenMs / clock.monotonicMs()).toBeCloseTo(1 / 4, 2);
  });

  it('leaves time to others between the steps of one work', async () => {
    expect(await loopTime.take('a', blocking(20, 50))).toBe('done');
    expect(clock.monotonicMs()).toBeGreaterThan(3 * 1000);
  });

  it('charges what a caller has taken for a work before', async () => {
    const startedAtMs = clock.monotonicMs();
    await loopTime.take('a', now(), 100);
    expect(clock.monotonicMs() - startedAtMs).toBe(370);
    expect(await startedAfterMs('b')).toBe(0);
  });

  it('does the works of one caller one after the other, and those of two callers at the same time', async () => {
    const order: string[] = [];
    function* noting(name: string): Generator<void, void> {
      order.push(`${name} begins`);
      yield;
      order.push(`${name} ends`);
    }
    await Promise.all([
      loopTime.take('a', noting('a1')),
      loopTime.take('a', noting('a2')),
      loopTime.take('b', noting('b')),
    ]);
    const places = ['a1 begins', 'b begins', 'a1 ends', 'a2 begins'].map((event) => order.indexOf(event));
    expect(places).toEqual([...places].sort((one, other) => one - other));
  });

  it('refuses what would wait for too long, until the caller has waited', async () => {
    await loopTime.take('a', blocking(2000));
    expect(await loopTime.take('a', now())).toBeUndefined();
    await clock.sleep(2000);
    expect(await startedAfterMs('a')).toBeGreaterThan(1000);
  });

  it('does not charge the time in which other programs have worked', async () => {
    const machine = Object.assign(new VirtualClock(), { workedMs: () => 0 });
    clock = machine;
    loopTime = new LoopTime(machine);
    keepOthersCalling();
    await loopTime.take('a', blocking(1000));
    expect(await startedAfterMs('a')).toBe(0);
  });

  it('charges work that fails, too, and goes on with the next one', async () => {
    const fail = () => {
      void clock.sleep(200);
      throw new Error('no JSON');
    };
    const [failed, next] = [loopTime.take('a', { next: fail }), startedAfterMs('a')];
    await expect(failed).rejects.toThrow('no JSON');
    expect(await next).toBeGreaterThan(600);
  });

  it('lets a caller wait for nothing if there are no others', async () => {
    leaveAlone();
    await clock.sleep(3000);
    for (let i = 0; i < 10; i++) {
      loopTime.noteMessage('a');
      expect(await loopTime.take('a', blocking(20, 10))).toBe('done');
    }
    expect(clock.monotonicMs()).toBe(3000 + 10 * 200);
  });

  it('lets a caller that is alone take a few steps at once, for others to come', async () => {
    leaveAlone();
    await clock.sleep(3000);
    const pauses = jest.spyOn(clock, 'sleep');
    await loopTime.take('a', blocking(1, 100));
    expect(pauses.mock.calls.filter(([ms]) => ms === 0).length).toBeLessThanOrEqual(12);
    expect(pauses.mock.calls.filter(([ms]) => ms === 0).length).toBeGreaterThanOrEqual(9);
  });

  it('makes a caller that was alone leave time to the first other one, but not for what it took before', async () => {
    leaveAlone();
    await clock.sleep(3000);
    await loopTime.take('a', blocking(20, 500));
    loopTime.noteMessage('b');
    const beganAtMs = clock.monotonicMs();
    await loopTime.take('a', blocking(20, 10));
    expect(clock.monotonicMs() - beganAtMs).toBeGreaterThan(600);
    expect(clock.monotonicMs() - beganAtMs).toBeLessThan(900);
  });

  it('lets a caller that has taken something go on when it has left time to others', async () => {
    for (let i = 0; i < 10; i++) expect(await loopTime.pay('a', 20)).toBe(true);
    expect(clock.monotonicMs()).toBeGreaterThan(600);
    expect(await startedAfterMs('b')).toBe(0);
  });

  it('says so if a caller that has taken something would have to wait for too long', async () => {
    expect(await loopTime.pay('a', 2000)).toBe(true);
    expect(await loopTime.pay('a', 1)).toBe(false);
  });
});
