import fc from 'fast-check';
import { mintVersion, versionAt, VERSIONS_PER_MS } from '../../../../src/core/domain/version';

const YEAR_2026_MS = Date.UTC(2026, 0, 1);
const YEAR_2094_MS = Date.UTC(2094, 0, 1);
const nowMs = fc.integer({ min: YEAR_2026_MS, max: YEAR_2094_MS });
const jitter = fc.integer({ min: 0, max: VERSIONS_PER_MS - 1 });

describe('mintVersion', () => {
  it('is even, positive, exact, and above the floor', () => {
    fc.assert(
      fc.property(nowMs, jitter, nowMs, jitter, (now, random, floorMs, floorRandom) => {
        const floor = mintVersion(floorMs, floorRandom, 0);
        const version = mintVersion(now, random, floor);
        expect(version % 2).toBe(0);
        expect(version).toBeGreaterThan(floor);
        expect(version).toBeLessThan(2 ** 53);
      }),
    );
  });

  it('rises with the clock whatever the jitter', () => {
    fc.assert(
      fc.property(nowMs, jitter, jitter, (now, random, later) => {
        expect(mintVersion(now + 1, later, 0)).toBeGreaterThanOrEqual(mintVersion(now, random, 0));
      }),
    );
  });

  it('is refused if the clock has gone so far that no version below 2^53 is left', () => {
    expect(() => mintVersion(Date.UTC(2095, 0, 1), 0, 0)).toThrow('the clock of this machine');
    expect(() => mintVersion(Date.UTC(9999, 0, 1), 0, 0)).toThrow('the clock of this machine');
  });

  it('clears an odd floor', () => {
    const floor = versionAt(YEAR_2026_MS) + 1;
    expect(mintVersion(YEAR_2026_MS, 0, floor)).toBe(floor + 1);
    expect(mintVersion(YEAR_2026_MS, 0, floor + 1)).toBe(floor + 3);
  });
});
