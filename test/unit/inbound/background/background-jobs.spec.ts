import { Logger } from '@nestjs/common';
import type { PublishOutcome } from '../../../../src/core/use-cases/events/publish-events';
import { BackgroundJobs } from '../../../../src/inbound/background/background-jobs';

const SHORTEST = 0;
const LONGEST = 0.999;

describe('BackgroundJobs', () => {
  const silenced = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
  const publish = jest.fn<Promise<PublishOutcome>, []>();
  const drain = { execute: jest.fn(() => Promise.resolve({ more: false })), mayHaveEntries: false };
  let wake: () => void;
  let append: () => void;
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());
  afterAll(() => silenced.mockRestore());

  function jobsWith(jitter: number): BackgroundJobs {
    publish.mockClear();
    drain.execute.mockClear();
    const quiet = { execute: () => Promise.resolve({ more: false }) } as never;
    return new BackgroundJobs(
      Object.assign(drain, { onAppended: (listener: () => void) => (append = listener) }) as never,
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

  it('look into an empty journal each second, into another one five times, and once there is an entry at once', async () => {
    publish.mockResolvedValue('standby');
    const jobs = jobsWith(SHORTEST);
    jobs.start();
    await jest.advanceTimersByTimeAsync(800);
    expect(drain.execute).toHaveBeenCalledTimes(1);
    drain.mayHaveEntries = true;
    append();
    await jest.advanceTimersByTimeAsync(0);
    expect(drain.execute).toHaveBeenCalledTimes(2);
    await jest.advanceTimersByTimeAsync(400);
    expect(drain.execute).toHaveBeenCalledTimes(4);
    await jobs.onModuleDestroy();
  });

  it('let each standby try to publish before a replica that could not tries again', async () => {
    publish.mockResolvedValue('standby');
    const standbyMs = await pauseMs(LONGEST);
    publish.mockRejectedValue(new Error('the bus is unavailable'));
    expect(await pauseMs(SHORTEST)).toBeGreaterThan(standbyMs + 200);
  });
});
