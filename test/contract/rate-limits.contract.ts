import type { RateLimits } from '../../src/inbound/methods/rate-limits';

export interface RateLimitsHarness {
  /** The counter of one replica. */
  readonly limits: RateLimits;
  elapse(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** What every adapter of the port promises. */
export function describeRateLimits(name: string, open: () => Promise<RateLimitsHarness>): void {
  describe(`rate limits in ${name}`, () => {
    const WINDOW_MS = 60_000;
    let harness: RateLimitsHarness;
    let tests = 0;
    const name = () => `task.delete:${tests}`;

    beforeAll(async () => {
      harness = await open();
    });
    afterAll(() => harness?.close());
    beforeEach(() => void (tests += 1));

    it('count every call in the window that the first call opens', async () => {
      for (const calls of [1, 2, 3]) {
        const window = await harness.limits.count(name(), WINDOW_MS);
        expect(window.calls).toBe(calls);
        expect(window.endsInMs).toBeGreaterThan(0);
        expect(window.endsInMs).toBeLessThanOrEqual(WINDOW_MS);
      }
    });

    it('do not extend a window', async () => {
      const first = await harness.limits.count(name(), WINDOW_MS);
      await harness.elapse(20);
      const second = await harness.limits.count(name(), WINDOW_MS);
      expect(second.endsInMs).toBeLessThanOrEqual(first.endsInMs - 20);
    });

    it('start a new window when the last one has ended', async () => {
      await harness.limits.count(name(), 100);
      await harness.limits.count(name(), 100);
      await harness.elapse(150);
      expect(await harness.limits.count(name(), 100)).toMatchObject({ calls: 1 });
    });

    it('keep windows apart, whatever their names are', async () => {
      const names = ['', '{', '{}a', 'Zoë 😀', '[2001:db8::1]', 'a:b'.repeat(100), 'a', 'A'].map(
        (part) => name() + part,
      );
      for (const calls of [1, 2]) {
        for (const one of names) expect(await harness.limits.count(one, WINDOW_MS)).toMatchObject({ calls });
      }
    });

    it('show the windows that are open, those with most calls first', async () => {
      const [many, few, ended] = ['many', 'few', 'ended'].map((part) => `${name()}:${part}`) as [
        string,
        string,
        string,
      ];
      await harness.limits.count(ended, 100);
      for (const one of [few, many, many]) await harness.limits.count(one, WINDOW_MS);
      await harness.elapse(150);
      const isOurs = (one: string) => one.startsWith(`${name()}:`);
      const open = await harness.limits.open(10, isOurs);
      expect(open.map((window) => [window.name, window.calls])).toEqual([
        [many, 2],
        [few, 1],
      ]);
      for (const { endsInMs } of open) {
        expect(endsInMs).toBeGreaterThan(0);
        expect(endsInMs).toBeLessThan(WINDOW_MS);
      }
      expect(await harness.limits.open(1, isOurs)).toMatchObject([{ name: many }]);
      expect(await harness.limits.open(10, (one) => one === few)).toMatchObject([{ name: few }]);
    });

    it('begin anew when a window is ended, and leave the others alone', async () => {
      const [ended, other] = [`${name()}:ended`, `${name()}:other`];
      for (const one of [ended, other]) await harness.limits.count(one, WINDOW_MS);
      await harness.limits.end([ended, `${name()}:never opened`]);
      expect(await harness.limits.open(10, (one) => one === ended)).toEqual([]);
      expect(await harness.limits.count(ended, WINDOW_MS)).toMatchObject({ calls: 1 });
      expect(await harness.limits.count(other, WINDOW_MS)).toMatchObject({ calls: 2 });
    });

    it('count simultaneous calls one by one', async () => {
      const windows = await Promise.all(Array.from({ length: 100 }, () => harness.limits.count(name(), WINDOW_MS)));
      expect(windows.map(({ calls }) => calls).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 100 }, (_, i) => i + 1),
      );
    });
  });
}
