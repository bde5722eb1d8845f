import { aftermathOf } from '../../../bench/goals/after-load';

/** Every tenth of a second; the load ends at 200 ms. */
const samples = (...cpuMs: number[]) => cpuMs.map((ms, i) => ({ atMs: 100 * i, cpuMicros: 1000 * ms }));

describe('what goes on after a load', () => {
  it('lasts until the last time that more than a fifth of a core is taken', () => {
    const { busyMs } = aftermathOf(samples(0, 100, 200, 260, 265, 315, 320, 325), 200, 0);
    expect(busyMs).toBe(300);
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
