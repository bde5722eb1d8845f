import { Past, type Return } from './past';
import { Timeline } from './timeline';

const OPTIONS = { intervalMs: 25, size: 3 };
const END_MS = 300;

describe('what something was like a while ago', () => {
  it.each([
    ['the copy of the last interval', 130, 20, 100],
    ['a copy of that very moment', 130, 30, 100],
    ['the copy before, if the moment is the present one', 100, 0, 75],
    ['the oldest of those that are kept', 130, 55, 75],
    ['nothing that is older', 130, 56, undefined],
    ['nothing of before the beginning', 20, 21, undefined],
  ])('%s', async (_, atMs, ageMs, expected) => {
    const { answers } = await observe([{ atMs, ageMs }]);
    expect(answers).toEqual([expected]);
  });

  it('is copied only where something goes back, and no longer than that', async () => {
    const { answers, copied, events } = await observe([
      { atMs: 60, ageMs: 20 },
      { atMs: 130, ageMs: 10 },
    ]);
    expect(answers).toEqual([25, 100]);
    expect(copied).toEqual([25, 100]);
    expect(events).toBeLessThan(END_MS / OPTIONS.intervalMs);
  });

  it('is not made up where nothing was said to go back', async () => {
    const timeline = new Timeline(0);
    const past = new Past(timeline, OPTIONS, [{ atMs: 130, ageMs: 20 }], () => timeline.nowMs);
    await timeline.run(130);
    expect(() => past.at(80)).toThrow('was not kept');
  });
});

/** Each copy is the time at which it was made. Whatever goes back was planned before the first copy. */
async function observe(returns: readonly Return[]) {
  const timeline = new Timeline(0);
  const answers: (number | undefined)[] = [];
  const copied: number[] = [];
  for (const { atMs, ageMs } of returns) timeline.at(atMs, () => answers.push(past.at(timeline.nowMs - ageMs)));
  const past: Past<number> = new Past(timeline, OPTIONS, returns, () => {
    copied.push(timeline.nowMs);
    return timeline.nowMs;
  });
  await timeline.run(END_MS);
  return { answers, copied, events: timeline.events };
}
