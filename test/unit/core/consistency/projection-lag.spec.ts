import { ProjectionLag } from '../../../../src/core/consistency/projection-lag';
import type { OutboxChanges } from '../../../../src/core/ports/outbox';

/** A projection up to `to`, of a database whose transactions have got as far as `horizon`. */
const at = (to: number, horizon: number) => ({ to, horizon }) as OutboxChanges;

describe('a horizon that the projection does not reach', () => {
  it('is overdue once, after more than a second', () => {
    const lag = new ProjectionLag();
    expect([0, 1000, 1001, 1002].map((nowMs) => lag.overdueHorizon(at(1, 5), nowMs))).toEqual([
      undefined,
      undefined,
      5,
      undefined,
    ]);
  });

  it('is overdue a second after it was known, whatever lower ones are overdue before', () => {
    const lag = new ProjectionLag();
    expect(lag.overdueHorizon(at(1, 5), 0)).toBeUndefined();
    expect(lag.overdueHorizon(at(1, 9), 500)).toBeUndefined();
    expect(lag.overdueHorizon(at(1, 9), 1100)).toBe(5);
    expect(lag.overdueHorizon(at(1, 9), 1600)).toBe(9);
  });

  it('counts together with all lower ones', () => {
    const lag = new ProjectionLag();
    lag.overdueHorizon(at(1, 5), 0);
    lag.overdueHorizon(at(1, 9), 1);
    expect(lag.overdueHorizon(at(1, 9), 1500)).toBe(9);
    expect(lag.overdueHorizon(at(1, 9), 3000)).toBeUndefined();
  });

  it('is forgotten when the projection reaches it', () => {
    const lag = new ProjectionLag();
    lag.overdueHorizon(at(1, 5), 0);
    expect(lag.overdueHorizon(at(5, 5), 900)).toBeUndefined();
    expect(lag.overdueHorizon(at(5, 5), 2000)).toBeUndefined();
  });
});
