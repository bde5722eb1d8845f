import { outcomesOf } from '../../../bench/goals/memory';
import { verdictOn } from '../../../bench/report/goal';

const megabytes = (...sizes: number[]) => sizes.map((size) => size * 1e6);

describe('memory under load', () => {
  it('is that of the last third, and does not grow if the second third had as much', () => {
    const [size, growth] = outcomesOf(megabytes(90, 170, 150, 160, 200, 160, 160, 161, 162), 3, 100e6);
    expect(size).toMatchObject({ reached: 161, ceiling: '100 MB at the start, 200 at most' });
    expect(growth).toMatchObject({ reached: 161 / 160 });
    expect([size, growth].map((outcome) => outcome && verdictOn(outcome))).toEqual(['met', 'met']);
  });

  it('grows if the last third has more than the second', () => {
    const [, growth] = outcomesOf(megabytes(100, 110, 120, 130, 140, 150), 3, 100e6);
    expect(growth && verdictOn(growth)).toBe('missed');
  });
});
