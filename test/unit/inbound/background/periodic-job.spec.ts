import { AsyncLocalStorage } from 'node:async_hooks';
import { Logger } from '@nestjs/common';
import { PeriodicJob, type Pause, type PeriodicJobOptions } from '../../../../src/inbound/background/periodic-job';
import { until } from '../../../support/poll';

const PAUSE_MS = 1000;
/** The pause is exactly as long as it was asked for. */
const NO_JITTER = 0.5;
/** Of pauses that are a tenth shorter, as they are at most, and a tenth longer. */
const JITTERS = [0, NO_JITTER, 0.999_999];

describe('PeriodicJob', () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
  const log = jest.spyOn(Logger.prototype, 'log').mockImplementation();
  const run = jest.fn<Promise<Pause>, []>();
  let job: PeriodicJob;
  beforeEach(() => {
    jest.useFakeTimers();
    [warn, log].forEach((spy) => spy.mockClear());
    run.mockReset().mockResolvedValue(PAUSE_MS);
    job = jobWith({ maxRetryMs: 2000 });
  });
  afterEach(async () => {
    await job.stop();
    jest.useRealTimers();
  });
  afterAll(() => [warn, log].forEach((spy) => spy.mockRestore()));

  function jobWith(options: Partial<PeriodicJobOptions> & Pick<PeriodicJobOptions, 'maxRetryMs'>): PeriodicJob {
    return new PeriodicJob({ name: 'test', run, jitter: () => NO_JITTER, ...options });
  }

  it.each(JITTERS)('runs at once, and again after the pause that the run asks for (jitter %d)', async (jitter) => {
    job = jobWith({ maxRetryMs: 2000, jitter: () => jitter });
    job.start();
    await jest.advanceTimersByTimeAsync(0);
    expect(run).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(0.89 * PAUSE_MS);
    expect(run).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(0.22 * PAUSE_MS);
    expect(run).toHaveBeenCalledTimes(2);
  });

  it('a run is no part of the call that has woken the job, as its trace would have it', async () => {
    jest.useRealTimers();
    const underWay = new AsyncLocalStorage<string>();
    const runs: (string | undefined)[] = [];
    run.mockImplementation(() => {
      runs.push(underWay.getStore());
      return Promise.resolve({ atLeastMs: 0, atMostMs: 60_000 });
    });
    job.start();
    await until('the first run', () => runs.length === 1);
    underWay.run('a call', () => job.wake());
    await until('the second run', () => runs.length === 2);
    expect(runs).toEqual([undefined, undefined]);
  });

  it('knows when it last succeeded', async () => {
    expect(job.lastSuccessMs).toBeUndefined();
    job.start();
    await jest.advanceTimersByTimeAsync(0);
    const firstMs = Date.now();
    expect(job.lastSuccessMs).toBe(firstMs);
    run.mockRejectedValue(new Error('x'));
    await jest.advanceTimersByTimeAsync(10 * PAUSE_MS);
    expect(job.lastSuccessMs).toBe(firstMs);
  });

  it('started again, goes on as before', async () => {
    job.start();
    job.start();
    await jest.advanceTimersByTimeAsync(0.5 * PAUSE_MS);
    job.start();
    await jest.advanceTimersByTimeAsync(0);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('never runs twice at once, and ends when the run under way has ended', async () => {
    let finish: (delayMs: number) => void = () => undefined;
    run.mockImplementation(() => new Promise((resolve) => (finish = resolve)));
    job.start();
    await jest.advanceTimersByTimeAsync(10 * PAUSE_MS);
    expect(run).toHaveBeenCalledTimes(1);

    const stopped = jest.fn();
    const stopping = job.stop().then(stopped);
    await jest.advanceTimersByTimeAsync(PAUSE_MS);
    expect(stopped).not.toHaveBeenCalled();
    finish(0);
    await stopping;
    await jest.advanceTimersByTimeAsync(10 * PAUSE_MS);
    expect(run).toHaveBeenCalledTimes(1);
  });

  describe('whose pause has a shortest and a longest time', () => {
    const SHORTEST_MS = 100;
    const after = (ms: number) => jest.advanceTimersByTimeAsync(ms);
    beforeEach(async () => {
      run.mockResolvedValue({ atLeastMs: SHORTEST_MS, atMostMs: PAUSE_MS });
      job.start();
      await after(0);
      expect(run).toHaveBeenCalledTimes(1);
    });

    it('runs after the longest if nothing wakes it', async () => {
      await after(PAUSE_MS - 1);
      expect(run).toHaveBeenCalledTimes(1);
      await after(1);
      expect(run).toHaveBeenCalledTimes(2);
    });

    it('runs after the shortest, and once, if it is woken before', async () => {
      await after(SHORTEST_MS / 2);
      for (const _ of [1, 2, 3]) job.wake();
      await after(SHORTEST_MS / 2 - 1);
      expect(run).toHaveBeenCalledTimes(1);
      await after(1);
      expect(run).toHaveBeenCalledTimes(2);
      await after(PAUSE_MS - 1);
      expect(run).toHaveBeenCalledTimes(2);
    });

    it('runs at once if it is woken later', async () => {
      await after(SHORTEST_MS);
      job.wake();
      await after(0);
      expect(run).toHaveBeenCalledTimes(2);
    });

    it('woken during a run, pauses for the shortest time after it', async () => {
      run.mockImplementationOnce(() => {
        job.wake();
        return Promise.resolve({ atLeastMs: SHORTEST_MS, atMostMs: PAUSE_MS });
      });
      await after(PAUSE_MS);
      expect(run).toHaveBeenCalledTimes(2);
      await after(SHORTEST_MS);
      expect(run).toHaveBeenCalledTimes(3);
    });

    it('is not woken after a failure, after another pause, or once it has been stopped', async () => {
      run.mockRejectedValueOnce(new Error('x'));
      await after(PAUSE_MS);
      expect(run).toHaveBeenCalledTimes(2);
      job.wake();
      await after(249);
      expect(run).toHaveBeenCalledTimes(2);
      run.mockResolvedValueOnce(PAUSE_MS);
      await after(1);
      expect(run).toHaveBeenCalledTimes(3);
      job.wake();
      await after(PAUSE_MS - 1);
      expect(run).toHaveBeenCalledTimes(3);
      await after(1);
      expect(run).toHaveBeenCalledTimes(4);
      await job.stop();
      job.wake();
      await after(10 * PAUSE_MS);
      expect(run).toHaveBeenCalledTimes(4);
    });
  });

  it('logs a failure once in its quiet time, and at the end of it one that lasts', async () => {
    job = jobWith({ maxRetryMs: 500, quietMs: 10_000 });
    let isFailing = false;
    const flap = async () => {
      isFailing = !isFailing;
      await jest.advanceTimersByTimeAsync(1200);
    };
    run.mockImplementation(() => (isFailing ? Promise.reject(new Error('unavailable')) : Promise.resolve(500)));
    job.start();
    for (let i = 0; i < 6; i++) await flap();
    expect([warn, log].map(({ mock }) => mock.calls.length)).toEqual([1, 1]);

    await flap();
    await jest.advanceTimersByTimeAsync(1000);
    expect(warn).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(warn).toHaveBeenCalledTimes(2);
    await flap();
    expect(log).toHaveBeenCalledTimes(2);
  });

  it('logs another cause of a failure that lasts, at most every ten seconds', async () => {
    let cause = 'not connected';
    run.mockImplementation(() => Promise.reject(new Error(cause)));
    job.start();
    await jest.advanceTimersByTimeAsync(12_000);
    cause = 'the stream lacks subjects';
    await jest.advanceTimersByTimeAsync(2000);
    const logged = () => warn.mock.calls.map(([line]) => String(line).split(': ')[1]);
    expect(logged()).toEqual(['not connected', 'the stream lacks subjects']);
    let attempts = 0;
    run.mockImplementation(() => Promise.reject(new Error(`cause ${++attempts}`)));
    await jest.advanceTimersByTimeAsync(11_000);
    expect(attempts).toBeGreaterThan(3);
    expect(warn).toHaveBeenCalledTimes(3);
  });

  it.each(JITTERS)('waits for as long as it is told before it tries again (jitter %d)', async (jitter) => {
    job = jobWith({ firstRetryMs: PAUSE_MS, maxRetryMs: PAUSE_MS, jitter: () => jitter });
    run.mockRejectedValue(new Error('unavailable'));
    job.start();
    await jest.advanceTimersByTimeAsync(0.89 * PAUSE_MS);
    expect(run).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(0.22 * PAUSE_MS);
    expect(run).toHaveBeenCalledTimes(2);
  });

  it('tries again after ever longer pauses, and logs each change once', async () => {
    const attemptsMs: number[] = [];
    const startedAtMs = performance.now();
    run.mockImplementation(() => {
      attemptsMs.push(performance.now() - startedAtMs);
      return Promise.reject(new Error('unavailable'));
    });
    job.start();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(attemptsMs).toEqual([0, 250, 750, 1750, 3750, 5750, 7750, 9750]);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('unavailable'));

    run.mockResolvedValue(PAUSE_MS);
    await jest.advanceTimersByTimeAsync(5000);
    expect(log).toHaveBeenCalledTimes(1);
  });
});
