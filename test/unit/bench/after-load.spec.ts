import { aftermathOf } from '../../../bench/goals/after-load';

/** Every tenth of a second; the load ends at 200 ms. */
const samples = (...cpuMs: number[]) => cpuMs.map((ms, i) => ({ atMs: 100 * i, cpuMicros: 1000 * ms }));

describe('what goes on after a load', () => {
  it('lasts to the end of the last half second in which more than a fifth of a core is taken', () => {
    // 120 ms from 500 to 600: the half second that begins there ends at 1000.
    const { busyMs } = aftermathOf(samples(0, 100, 200, 210, 220, 240, 360, 370, 380, 390, 400, 410, 420), 200, 0);
    expect(busyMs).toBe(800);
  });

  it('does not last because of one hundredth of a second, by which the kernel counts', () => {
    const { busyMs } = aftermathOf(samples(0, 100, 200, 200, 200, 200, 200, 230, 230, 230, 260, 260), 200, 0);
    expect(busyMs).toBe(0);
  });

  it('takes what is beyond the idle share', () => {
    const { cpuMicros } = aftermathOf(samples(0, 100, 200, 260, 265, 270), 200, 50);
    expect(cpuMicros).toBe(70_000 - 300 * 50);
  });

  it('is nothing if the processes are idle at once', () => {
    expect(aftermathOf(samples(0, 100, 200, 201, 202), 200, 10)).toEqual({ busyMs: 0, cpuMicros: 0 });
  });

  it('is not known without a sample after the end', () => {
    expect(aftermathOf(samples(0, 100), 200, 0)).toEqual({ busyMs: NaN, cpuMicros: NaN });
  });
});
