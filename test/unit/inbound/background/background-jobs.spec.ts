import { Logger } from '@nestjs/common';
import type { PublishOutcome } from '../../../../src/core/use-cases/events/publish-events';
import { BackgroundJobs } from '../../../../src/inbound/background/background-jobs';

const SHORTEST = 0;
const LONGEST = 0.999;

describe('BackgroundJobs', () => {
  const silenced = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
  const random = jest.spyOn(Math, 'random');
  const publish = jest.fn<Promise<PublishOutcome>, []>();
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());
  afterAll(() => [silenced, random].forEach((spy) => spy.mockRestore()));

  /** How long after its first run the publishing runs again, where its pauses are as long as chance may make them. */
  async function pauseMs(chance: number): Promise<number> {
    random.mockReturnValue(chance);
    publish.mockClear();
    const quiet = { execute: () => Promise.resolve({ more: false }) } as never;
    const jobs = new BackgroundJobs(quiet, quiet, { execute: publish } as never, quiet, quiet, quiet);
    jobs.start();
    await jest.advanceTimersByTimeAsync(0);
    let waitedMs = 0;
    for (; publish.mock.calls.length < 2; waitedMs += 10) await jest.advanceTimersByTimeAsync(10);
    await jobs.onModuleDestroy();
    return waitedMs;
  }

  it('let every standby have its turn before one that could not publish tries again', async () => {
    publish.mockResolvedValue('standby');
    const standbyMs = await pauseMs(LONGEST);
    publish.mockRejectedValue(new Error('the bus is away'));
    expect(await pauseMs(SHORTEST)).toBeGreaterThan(standbyMs + 200);
  });
});
