import { Logger } from '@nestjs/common';
import type { PublishOutcome } from '../../../../src/core/use-cases/events/publish-events';
import { BackgroundJobs } from '../../../../src/inbound/background/background-jobs';

const SHORTEST = 0;
const LONGEST = 0.999;

describe('BackgroundJobs', () => {
  const silenced = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
  const publish = jest.fn<Promise<PublishOutcome>, []>();
  let wake: () => void;
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());
  afterAll(() => silenced.mockRestore());

  function jobsWith(jitter: number): BackgroundJobs {
    publish.mockClear();
    const quiet = { execute: () => Promise.resolve({ more: false }) } as never;
    return new BackgroundJobs(
      quiet,
      quiet,
      { execute: publish, onWaiting: (listener: () => void) => (wake = listener) } as never,
      quiet,
      quiet,
      quiet,
      quiet,
      quiet,
      () => jitter,
    );
  }

  /** The time between the first two runs of the publishing. */
  async function pauseMs(jitter: number): Promise<number> {
    const jobs = jobsWith(jitter);
    jobs.start();
    await jest.advanceTimersByTimeAsync(0);
    let waitedMs = 0;
    for (; publish.mock.calls.length < 2; waitedMs += 10) await jest.advanceTimersByTimeAsync(10);
    await jobs.onModuleDestroy();
    return waitedMs;
  }

  it('publish an event at once after a time without any, and rarely look for one meanwhile', async () => {
    publish.mockResolvedValue('idle');
    expect(await pauseMs(SHORTEST)).toBeGreaterThan(200);
    const jobs = jobsWith(SHORTEST);
    jobs.start();
    await jest.advanceTimersByTimeAsync(100);
    expect(publish).toHaveBeenCalledTimes(1);
    wake();
    await jest.advanceTimersByTimeAsync(0);
    expect(publish).toHaveBeenCalledTimes(2);
    await jobs.onModuleDestroy();
  });

  it('let each standby try to publish before a replica that could not tries again', async () => {
    publish.mockResolvedValue('standby');
    const standbyMs = await pauseMs(LONGEST);
    publish.mockRejectedValue(new Error('the bus is unavailable'));
    expect(await pauseMs(SHORTEST)).toBeGreaterThan(standbyMs + 200);
  });
});
