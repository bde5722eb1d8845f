import { Logger } from '@nestjs/common';
import { StoreError } from '../../src/core/ports/store-error';
import { DependencyWatch } from '../../src/inbound/background/dependency-watch';

describe('DependencyWatch', () => {
  const silenced = (['warn', 'log'] as const).map((level) => jest.spyOn(Logger.prototype, level).mockImplementation());
  const ping = jest.fn<Promise<void>, []>();
  const told: string[] = [];
  let watch: DependencyWatch;

  beforeEach(() => {
    jest.useFakeTimers();
    ping.mockReset().mockResolvedValue();
    told.length = 0;
    watch = new DependencyWatch([{ name: 'postgres', ping }], {
      recovered: (store) => told.push(`${store} recovered`),
      reachable: (store) => told.push(`${store} reachable`),
    });
    watch.start();
  });
  afterEach(async () => {
    await watch.onModuleDestroy();
    jest.useRealTimers();
  });
  afterAll(() => silenced.forEach((spy) => spy.mockRestore()));

  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

  it('says about once a second that a store answers', async () => {
    await pass(5000);
    expect(ping.mock.calls.length).toBeGreaterThanOrEqual(4);
    expect(ping.mock.calls.length).toBeLessThanOrEqual(7);
    expect(told).toEqual(ping.mock.calls.map(() => 'postgres reachable'));
  });

  it('says nothing while it does not, and soon that it does again', async () => {
    ping.mockRejectedValue(new StoreError('postgres', 'unavailable'));
    await pass(1200);
    told.length = 0;
    await pass(60_000);
    expect(told).toEqual([]);
    ping.mockResolvedValue();
    await pass(1200);
    expect(told[0]).toBe('postgres recovered');
    await pass(5000);
    expect(told.slice(1)).toEqual(told.slice(1).map(() => 'postgres reachable'));
  });

  it('asks no more when it has been stopped', async () => {
    await watch.onModuleDestroy();
    ping.mockClear();
    await pass(10_000);
    expect(ping).not.toHaveBeenCalled();
  });
});
