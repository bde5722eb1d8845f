import { RecentMost } from '../../../../src/outbound/postgres/recent-most';

it('the highest number of the last window or two is remembered, and then forgotten', () => {
  let nowMs = 0;
  const most = new RecentMost(100, () => nowMs);
  expect(most.value).toBe(0);
  for (const number of [3, 9, 4]) most.note(number);
  const valueAt = (ms: number) => {
    nowMs = ms;
    return most.value;
  };
  expect([99, 100, 199].map(valueAt)).toEqual([9, 9, 9]);
  most.note(5);
  expect([200, 299, 300, 1000].map(valueAt)).toEqual([5, 5, 0, 0]);
  most.note(7);
  expect(valueAt(1250)).toBe(0);
});
