import type { RateLimits } from '../../src/core/ports/rate-limits';

export interface RateLimitsHarness {
  /** What one replica counts with. */
  readonly limits: RateLimits;
  elapse(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** What every adapter of the port promises. */
export function describeRateLimits(name: string, open: () => Promise<RateLimitsHarness>): void {
  describe(`rate limits in ${name}`, () => {
    const WINDOW_MS = 60_000;
    let harness: RateLimitsHarness;
    let callers = 0;
    const call = (method = 'task.delete') => ({ caller: `caller-${callers}`, method });

    beforeAll(async () => {
      harness = await open();
    });
    afterAll(() => harness?.close());
    beforeEach(() => void (callers += 1));

    it('counts every call in the window that the first one opens', async () => {
      for (const calls of [1, 2, 3]) {
        const window = await harness.limits.count(call(), WINDOW_MS);
        expect(window.calls).toBe(calls);
        expect(window.endsInMs).toBeGreaterThan(0);
        expect(window.endsInMs).toBeLessThanOrEqual(WINDOW_MS);
      }
    });

    it('does not prolong a window', async () => {
      const first = await harness.limits.count(call(), WINDOW_MS);
      await harness.elapse(20);
      const second = await harness.limits.count(call(), WINDOW_MS);
      expect(second.endsInMs).toBeLessThanOrEqual(first.endsInMs - 20);
    });

    it('begins anew when the window has ended', async () => {
      await harness.limits.count(call(), 100);
      await harness.limits.count(call(), 100);
      await harness.elapse(150);
      expect(await harness.limits.count(call(), 100)).toMatchObject({ calls: 1 });
    });

    it('keeps callers and methods apart', async () => {
      await harness.limits.count(call('a'), WINDOW_MS);
      expect(await harness.limits.count(call('b'), WINDOW_MS)).toMatchObject({ calls: 1 });
      expect(await harness.limits.count({ caller: `other than ${callers}`, method: 'a' }, WINDOW_MS)).toMatchObject({
        calls: 1,
      });
      expect(await harness.limits.count(call('a'), WINDOW_MS)).toMatchObject({ calls: 2 });
    });

    it('takes whatever a caller may be called', async () => {
      for (const caller of ['', '{', '{}a', 'Zoë 😀', '[2001:db8::1]', 'a:b'.repeat(100)]) {
        const named = { caller: `${caller}${callers}`, method: 'task.get' };
        await harness.limits.count(named, WINDOW_MS);
        expect(await harness.limits.count(named, WINDOW_MS)).toMatchObject({ calls: 2 });
      }
    });

    it('counts calls at once one by one', async () => {
      const windows = await Promise.all(Array.from({ length: 100 }, () => harness.limits.count(call(), WINDOW_MS)));
      expect(windows.map(({ calls }) => calls).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 100 }, (_, i) => i + 1),
      );
    });
  });
}
