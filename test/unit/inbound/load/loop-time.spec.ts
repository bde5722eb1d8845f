import { LoopTime } from '../../../../src/inbound/load/loop-time';

class VirtualClock {
  private ms = 0;

  monotonicMs(): number {
    return this.ms;
  }

  workedMs(): number {
    return this.ms;
  }

  sleep(ms: number): Promise<void> {
    this.ms += ms;
    return Promise.resolve();
  }
}

describe('LoopTime', () => {
  let clock: VirtualClock;
  let loopTime: LoopTime;
  beforeEach(() => {
    clock = new VirtualClock();
    loopTime = new LoopTime(clock);
  });
  const blockFor = (caller: string, ms: number) => loopTime.take(caller, () => void clock.sleep(ms));
  const waitedMs = async (caller: string) => {
    const startedAtMs = clock.monotonicMs();
    expect(await loopTime.turnOf(caller)).toBe(true);
    return clock.monotonicMs() - startedAtMs;
  };

  it('lets a caller that takes little wait for nothing', async () => {
    for (let i = 0; i < 100; i++) {
      expect(await waitedMs('a')).toBe(0);
      blockFor('a', 2);
      await clock.sleep(10);
    }
  });

  it('lets a caller that takes much have a quarter of the time, and another caller wait for nothing', async () => {
    let takenMs = 0;
    while (clock.monotonicMs() < 100_000) {
      await waitedMs('a');
      blockFor('a', 200);
      takenMs += 200;
      expect(await waitedMs('b')).toBe(0);
    }
    expect(takenMs / clock.monotonicMs()).toBeCloseTo(1 / 4, 2);
  });

  it('refuses what would wait for too long, until the caller has waited', async () => {
    blockFor('a', 2000);
    expect(await loopTime.turnOf('a')).toBe(false);
    await clock.sleep(2000);
    expect(await waitedMs('a')).toBeGreaterThan(1000);
  });

  it('does not charge the time in which other programs have worked', async () => {
    const machine = Object.assign(new VirtualClock(), { workedMs: () => 0 });
    const shared = new LoopTime(machine);
    shared.take('a', () => void machine.sleep(1000));
    await shared.turnOf('a');
    expect(machine.monotonicMs()).toBe(1000);
  });

  it('charges work that fails, too', async () => {
    const fail = () => {
      void clock.sleep(200);
      throw new Error('no JSON');
    };
    expect(() => loopTime.take('a', fail)).toThrow('no JSON');
    expect(await waitedMs('a')).toBeGreaterThan(0);
  });
});
