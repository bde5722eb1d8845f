import { PING_TIMEOUT_MS } from '../../src/inbound/health/dependency';
import type { Dependency } from '../../src/inbound/health/dependency';
import { until } from '../support/poll';

export interface DependencyHarness {
  readonly dependency: Dependency;
  /** The server accepts connections and whatever is sent to it, but sends nothing. */
  silence(): void;
  endSilence(): void;
  close(): Promise<void>;
}

/** How much a busy machine may add to a time-out. */
const TOLERANCE_MS = 1500;

export function describeDependency(name: string, open: () => Promise<DependencyHarness>): void {
  describe(`dependency: ${name}`, () => {
    let harness: DependencyHarness;
    beforeAll(async () => {
      harness = await open();
    });
    afterAll(() => harness?.close());

    const answers = () =>
      harness.dependency.ping(PING_TIMEOUT_MS).then(
        () => true,
        () => false,
      );
    const untilItAnswers = () => until('it answers', answers);

    it('reports in time that its server is silent, and then that the server replies again', async () => {
      await untilItAnswers();
      harness.silence();
      // A process that is being stopped may still reply to what it has read.
      await until('it is found silent', async () => {
        const startedAtMs = performance.now();
        const [isUp, reason] = await Promise.all([answers(), harness.dependency.unfitness?.(PING_TIMEOUT_MS)]);
        expect(performance.now() - startedAtMs).toBeLessThan(PING_TIMEOUT_MS + TOLERANCE_MS);
        expect(isUp ? undefined : reason).toBeUndefined();
        return !isUp;
      });
      harness.endSilence();
      await untilItAnswers();
    });
  });
}
