import { integerProblem } from '../../../../src/core/domain/integer-problem';

describe('an integer of a range', () => {
  it('both ends of the range belong to it', () => {
    for (const value of [1, 50, 100]) expect(integerProblem(value, 1, 100)).toBeUndefined();
  });

  it.each([
    [0, ', is 0'],
    [101, ', is 101'],
    [1.5, ', is 1.5'],
    [-1, ', is -1'],
    [Infinity, ', is Infinity'],
  ])('%j is refused with the range, and a number is named', (value, fact) => {
    expect(integerProblem(value, 1, 100)).toBe(`must be an integer from 1 to 100${fact}`);
  });

  it.each(['50', null, [50], undefined])('%j is refused because it is no number', (value) => {
    expect(integerProblem(value, 1, 100)).toBe('must be a number, an integer from 1 to 100');
  });
});
