import { Registry } from 'prom-client';
import { StoreError } from '../../../../src/core/ports/store-error';
import { Breakers } from '../../../../src/outbound/breakers/breakers';

const HALF_OPEN_AFTER_MS = 30_000;
const GET = 'task.get_attachment';
const DELETE = 'task.delete_attachment';

abstract class Port {
  abstract ask(question: string, detail: number): Promise<string>;
  abstract tell(): Promise<void>;
}

class FakePort extends Port {
  asked = 0;
  /** A private field, so that a method works only if `this` is the port itself. */
  #answer: () => Promise<void> = () => Promise.resolve();

  answers(): void {
    this.#answer = () => Promise.resolve();
  }

  fails(outcome: StoreError['outcome']): void {
    this.#answer = () => Promise.reject(new StoreError('postgres', outcome));
  }

  /** Calls hang until the returned function is called. If it is given an error, they reject with it. */
  hangs(): (error?: Error) => void {
    let settle: (error?: Error) => void = () => undefined;
    const settled = new Promise<void>((resolve, reject) => {
      settle = (error) => (error ? reject(error) : resolve());
    });
    this.#answer = () => settled;
    return settle;
  }

  override async ask(question: string, detail: number): Promise<string> {
    this.asked += 1;
    await this.#answer();
    return `${question} ${detail}`;
  }

  override async tell(): Promise<void> {
    this.asked += 1;
    await this.#answer();
  }
}

describe('breakers', () => {
  let registry: Registry;
  let breakers: Breakers;
  let port: FakePort;
  let wrapped: Port;

  beforeEach(() => {
    jest.useFakeTimers();
    registry = new Registry();
    breakers = new Breakers(registry);
    port = new FakePort();
    wrapped = breakers.wrap<Port>('postgres', GET, port);
  });
  afterEach(() => jest.useRealTimers());

  const outcomeOf = async (call: Promise<unknown>) => {
    try {
      await call;
      return 'answered';
    } catch (error) {
      if (error instanceof StoreError) return `${error.store} ${error.outcome}`;
      throw error;
    }
  };
  const callTimes = async (count: number, by: Port = wrapped) => {
    for (let i = 0; i < count; i++) await outcomeOf(by.ask('?', 1));
  };
  /** Whether a call gets through to the port. */
  const letsThrough = async (by: Port = wrapped) => {
    const before = port.asked;
    await outcomeOf(by.ask('?', 1));
    return port.asked > before;
  };

  it('pass arguments, replies and errors through', async () => {
    expect(wrapped).toBeInstanceOf(FakePort);
    expect(await wrapped.ask('how many', 2)).toBe('how many 2');
    port.fails('failed');
    expect(await outcomeOf(wrapped.ask('?', 1))).toBe('postgres failed');
  });

  it('open after five failures in a row, of any method, and then reject calls without asking the store', async () => {
    port.fails('timeout');
    for (let i = 0; i < 4; i++) expect(await outcomeOf(wrapped.ask('?', 1))).toBe('postgres timeout');
    expect(await outcomeOf(wrapped.tell())).toBe('postgres timeout');
    for (const call of [() => wrapped.ask('?', 1), () => wrapped.tell()]) {
      expect(await outcomeOf(call())).toBe('postgres unavailable');
    }
    expect(port.asked).toBe(5);
  });

  it('count a request that several calls have shared as one failure', async () => {
    const calls = async () => {
      const fail = port.hangs();
      const outcomes = Array.from({ length: 10 }, () => outcomeOf(wrapped.ask('?', 1)));
      fail(new StoreError('postgres', 'timeout'));
      expect(await Promise.all(outcomes)).toEqual(outcomes.map(() => 'postgres timeout'));
    };
    for (let i = 0; i < 4; i++) await calls();
    port.fails('timeout');
    expect(await letsThrough()).toBe(true);
    expect(await letsThrough()).toBe(false);
  });

  it('do not count a call that took too long while the store served others', async () => {
    const late = new StoreError('postgres', 'timeout', { servedOthers: true });
    const takesTooLong = async () => {
      const fail = port.hangs();
      const outcome = outcomeOf(wrapped.ask('?', 1));
      fail(late);
      expect(await outcome).toBe('postgres timeout');
    };
    port.fails('timeout');
    for (let i = 0; i < 4; i++) expect(await letsThrough()).toBe(true);
    for (let i = 0; i < 10; i++) await takesTooLong();
    port.fails('timeout');
    expect(await letsThrough()).toBe(true);
    expect(await letsThrough()).toBe(false);
  });

  it('measure how long a store takes, and how it ends, even while they are open', async () => {
    await wrapped.ask('?', 1);
    port.fails('timeout');
    await callTimes(5);
    await callTimes(1);
    const lines = (await registry.metrics()).split('\n');
    expect(lines.filter((line) => line.startsWith('dossier_store_duration_seconds_count')).sort()).toEqual(
      [
        ['ok', 1],
        ['timeout', 5],
        ['unavailable', 1],
      ].map(
        ([outcome, count]) =>
          `dossier_store_duration_seconds_count{store="postgres",operation="${GET}",outcome="${outcome}"} ${count}`,
      ),
    );
  });

  it('open for a deletion only after ten failures', async () => {
    const deleting = breakers.wrap<Port>('postgres', DELETE, port);
    port.fails('unavailable');
    await callTimes(9, deleting);
    expect(await letsThrough(deleting)).toBe(true);
    expect(await letsThrough(deleting)).toBe(false);
  });

  it.each(['failed', 'refused', 'busy'] as const)(
    'do not count the reply "%s", which ends a row of failures',
    async (outcome) => {
      port.fails(outcome);
      await callTimes(20);
      port.fails('unavailable');
      await callTimes(4);
      port.fails(outcome);
      await callTimes(1);
      port.fails('unavailable');
      await callTimes(4);
      port.answers();
      expect(await letsThrough()).toBe(true);
    },
  );

  it('are separate for each store and operation, but shared by the ports of one operation', async () => {
    const otherPort = breakers.wrap<Port>('postgres', GET, port);
    const otherOperation = breakers.wrap<Port>('postgres', 'task.get', port);
    const otherStore = breakers.wrap<Port>('redis', GET, port);
    port.fails('timeout');
    await callTimes(5);
    expect(await letsThrough(otherPort)).toBe(false);
    expect(await letsThrough(otherOperation)).toBe(true);
    expect(await letsThrough(otherStore)).toBe(true);
  });

  it('let one call try after 30 seconds, and reject other calls meanwhile', async () => {
    port.fails('timeout');
    await callTimes(5);
    jest.advanceTimersByTime(HALF_OPEN_AFTER_MS - 1);
    expect(await letsThrough()).toBe(false);
    jest.advanceTimersByTime(1);

    const finish = port.hangs();
    const trial = outcomeOf(wrapped.ask('?', 1));
    expect(await outcomeOf(wrapped.ask('?', 1))).toBe('postgres unavailable');
    finish(new StoreError('postgres', 'timeout'));
    expect(await trial).toBe('postgres timeout');
    expect(await letsThrough()).toBe(false);

    jest.advanceTimersByTime(HALF_OPEN_AFTER_MS);
    port.answers();
    expect(await letsThrough()).toBe(true);
    port.fails('timeout');
    await callTimes(4);
    expect(await letsThrough()).toBe(true);
  });

  it('close as soon as the store has recovered, and start to count again', async () => {
    port.fails('timeout');
    await callTimes(5);
    breakers.recovered('redis');
    expect(await letsThrough()).toBe(false);
    breakers.recovered('postgres');
    await callTimes(4);
    expect(await letsThrough()).toBe(true);
    expect(await letsThrough()).toBe(false);
  });

  it('ignore the failure of a call that began before the store recovered', async () => {
    const settle = port.hangs();
    const calls = Array.from({ length: 5 }, () => outcomeOf(wrapped.ask('?', 1)));
    breakers.recovered('postgres');
    settle(new StoreError('postgres', 'timeout'));
    expect(await Promise.all(calls)).toEqual(Array(5).fill('postgres timeout'));
    port.answers();
    expect(await letsThrough()).toBe(true);
  });

  it.each([
    ['unavailable', true],
    ['timeout', false],
  ] as const)('close after "%s" when the store can be reached: %s', async (outcome, closes) => {
    port.fails(outcome);
    await callTimes(5);
    breakers.reachable('postgres');
    expect(await letsThrough()).toBe(closes);
  });

  it('all close when the store can be reached, if any operation could not reach it', async () => {
    const other = breakers.wrap<Port>('postgres', 'task.get', port);
    port.fails('timeout');
    await callTimes(5);
    port.fails('unavailable');
    await callTimes(5, other);
    breakers.reachable('redis');
    expect(await letsThrough()).toBe(false);
    breakers.reachable('postgres');
    expect([await letsThrough(), await letsThrough(other)]).toEqual([true, true]);
  });

  it('show in the metrics which of them are open', async () => {
    breakers.wrap<Port>('redis', GET, port);
    const shown = async () =>
      (await registry.metrics()).split('\n').filter((line) => line.startsWith('dossier_breaker_open{'));
    const line = (dependency: string, value: number) =>
      `dossier_breaker_open{dependency="${dependency}",operation="${GET}"} ${value}`;
    expect(await shown()).toEqual([line('postgres', 0), line('redis', 0)]);
    port.fails('unavailable');
    await callTimes(5);
    expect(await shown()).toEqual([line('postgres', 1), line('redis', 0)]);
    jest.advanceTimersByTime(HALF_OPEN_AFTER_MS);
    port.answers();
    await callTimes(1);
    expect(await shown()).toEqual([line('postgres', 0), line('redis', 0)]);
  });
});
