import { Logger } from '@nestjs/common';
import { PeriodicJob } from '../../../../src/inbound/background/periodic-job';

const PAUSE_MS = 1000;

describe('PeriodicJob', () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
  const log = jest.spyOn(Logger.prototype, 'log').mockImplementation();
  const run = jest.fn<Promise<number>, []>();
  let job: PeriodicJob;
  beforeEach(() => {
    jest.useFakeTimers();
    [warn, log].forEach((spy) => spy.mockClear());
    run.mockReset().mockResolvedValue(PAUSE_MS);
    job = new PeriodicJob({ name: 'test', run, maxRetryMs: 2000 });
  });
  afterEach(async () => {
    await job.stop();
    jest.useRealTimers();
  });
  afterAll(() => [warn, log].forEach((spy) => spy.mockRestore()));

  it('runs at once, and again about as late as the run has said', async () => {
    job.start();
    await jest.advanceTimersByTimeAsync(0);
    expect(run).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(0.89 * PAUSE_MS);
    expect(run).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(0.22 * PAUSE_MS);
    expect(run).toHaveBeenCalledTimes(2);
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

  it('logs a failure once in its quiet time, and at the end of it one that lasts', async () => {
    job = new PeriodicJob({ name: 'test', run, maxRetryMs: 500, quietMs: 10_000 });
    let isAway = false;
    const flap = async () => {
      isAway = !isAway;
      await jest.advanceTimersByTimeAsync(1200);
    };
    run.mockImplementation(() => (isAway ? Promise.reject(new Error('away')) : Promise.resolve(500)));
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

  it('waits for as long as it is told before it tries again', async () => {
    job = new PeriodicJob({ name: 'test', run, firstRetryMs: PAUSE_MS, maxRetryMs: PAUSE_MS });
    run.mockRejectedValue(new Error('away'));
    job.start();
    await jest.advanceTimersByTimeAsync(0.89 * PAUSE_MS);
    expect(run).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(0.22 * PAUSE_MS);
    expect(run).toHaveBeenCalledTimes(2);
  });

  it('tries again after ever longer pauses, and logs each change once', async () => {
    run.mockRejectedValue(new Error('away'));
    job.start();
    await jest.advanceTimersByTimeAsync(700);
    const soon = run.mock.calls.length;
    expect(soon).toBe(2);
    await jest.advanceTimersByTimeAsync(20_000);
    const attempts = run.mock.calls.length;
    expect(attempts).toBeGreaterThanOrEqual(10);
    expect(attempts).toBeLessThanOrEqual(15);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('away'));

    run.mockResolvedValue(PAUSE_MS);
    await jest.advanceTimersByTimeAsync(5000);
    expect(log).toHaveBeenCalledTimes(1);
  });
});
