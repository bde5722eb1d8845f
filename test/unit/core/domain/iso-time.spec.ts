import { isoTime } from '../../../../src/core/domain/iso-time';
import { Random } from '../../../simulation/random';

const DAY_MS = 24 * 60 * 60 * 1000;

describe('isoTime', () => {
  it.each([0, -1, 0.5, 1_764_111_599_999, DAY_MS - 1, DAY_MS, -DAY_MS, 951_782_400_000, 4_102_444_800_000])(
    'prints %d as Date does',
    (ms) => expect(isoTime(ms)).toBe(new Date(Math.floor(ms)).toISOString()),
  );

  it('prints times of all days as Date does', () => {
    const random = new Random(1);
    const times = Array.from({ length: 10_000 }, () => random.int(200 * 365) * DAY_MS + random.int(DAY_MS));
    expect(times.map(isoTime)).toEqual(times.map((ms) => new Date(ms).toISOString()));
  });

  it('throws for what is no time', () => expect(() => isoTime(NaN)).toThrow(RangeError));
});
