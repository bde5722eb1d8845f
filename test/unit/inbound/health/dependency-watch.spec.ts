import { Logger } from '@nestjs/common';
import { StoreError } from '../../../../src/core/ports/store-error';
import { DependencyWatch } from '../../../../src/inbound/health/dependency-watch';

describe('DependencyWatch', () => {
  const silenced = (['warn', 'log'] as const).map((level) => jest.spyOn(Logger.prototype, level).mockImplementation());
  const [warn] = silenced as [jest.SpyInstance, jest.SpyInstance];
  const ping = jest.fn<Promise<void>, []>();
  const unfitness = jest.fn<Promise<string | undefined>, []>();
  const told: string[] = [];
  let watch: DependencyWatch;

  beforeEach(() => {
    jest.useFakeTimers();
    ping.mockReset().mockResolvedValue();
    unfitness.mockReset().mockResolvedValue(undefined);
    told.length = 0;
    watch = new DependencyWatch([{ name: 'postgres', ping, unfitness }], {
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

  it('the listener is told about once a second that a store answers', async () => {
    await pass(5000);
    expect(ping.mock.calls.length).toBeGreaterThanOrEqual(4);
    expect(ping.mock.calls.length).toBeLessThanOrEqual(7);
    expect(told).toEqual(ping.mock.calls.map(() => 'postgres reachable'));
  });

  it('the listener is told nothing while a store does not answer, and soon that it does again', async () => {
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

  it('the log names the cause of an outage in the words of the server', async () => {
    warn.mockClear();
    const cause = new AggregateError(
      [new Error('connect ECONNREFUSED 127.0.0.1:5432'), new Error('other address')],
      '',
    );
    ping.mockRejectedValue(new StoreError('postgres', 'unavailable', { cause }));
    await pass(1200);
    expect(warn.mock.calls).toEqual([
      [expect.stringContaining('postgres unavailable: connect ECONNREFUSED 127.0.0.1')],
    ]);
  });

  it('the log says once why a server should not be relied on, and again after an outage', async () => {
    await pass(1200);
    warn.mockClear();
    unfitness.mockResolvedValue('it forgets');
    await pass(60_000);
    expect(warn.mock.calls).toEqual([['it forgets']]);
    unfitness.mockResolvedValue('it evicts');
    await pass(5000);
    expect(warn.mock.calls).toEqual([['it forgets'], ['it evicts']]);
    ping.mockRejectedValueOnce(new StoreError('postgres', 'unavailable'));
    await pass(5000);
    expect(warn.mock.calls.slice(2)).toEqual([[expect.stringContaining('postgres unavailable')], ['it evicts']]);
  });

  it('the health of a server is that of its last answer', async () => {
    const { postgres: unasked, ...embedded } = watch.health;
    expect(unasked).toEqual({ state: 'down' });
    expect(embedded).toEqual({ redis: { state: 'embedded' }, nats: { state: 'embedded' } });
    await pass(100);
    expect(watch.health.postgres).toEqual({ state: 'up' });
    unfitness.mockResolvedValue('it forgets');
    await pass(1200);
    expect(watch.health.postgres).toEqual({ state: 'up', reason: 'it forgets' });

    let fail: (error: Error) => void = () => undefined;
    ping.mockImplementation(() => new Promise((_, reject) => (fail = reject)));
    await pass(1200);
    const { length } = ping.mock.calls;
    await pass(60_000);
    expect(ping.mock.calls).toHaveLength(length);
    expect(watch.health.postgres.state).toBe('up');
    fail(new StoreError('postgres', 'timeout'));
    await pass(100);
    expect(watch.health.postgres).toEqual({ state: 'down' });
    ping.mockResolvedValue();
    await pass(1200);
    expect(watch.health.postgres.state).toBe('up');
  });

  it('an embedded store is down while it is being started again', () => {
    let isRunning = true;
    const embedded = new DependencyWatch([], { recovered: jest.fn(), reachable: jest.fn() }, () => isRunning);
    expect(embedded.health.postgres).toEqual({ state: 'embedded' });
    isRunning = false;
    expect(embedded.health).toMatchObject({ postgres: { state: 'down' }, redis: { state: 'embedded' } });
  });

  it('the listener is told nothing of a server that is no store', async () => {
    const bus = new DependencyWatch([{ name: 'nats', ping }], {
      recovered: (store) => told.push(store),
      reachable: (store) => told.push(store),
    });
    await watch.onModuleDestroy();
    told.length = 0;
    bus.start();
    await pass(100);
    expect(bus.health.nats).toEqual({ state: 'up' });
    await bus.onModuleDestroy();
    expect(told).toEqual([]);
  });

  it('no server is asked after the watch has stopped', async () => {
    await watch.onModuleDestroy();
    ping.mockClear();
    await pass(10_000);
    expect(ping).not.toHaveBeenCalled();
  });
});
