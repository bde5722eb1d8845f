import { ProjectionProgress } from '../../../../src/core/consistency/projection-progress';

describe('the progress of the projection', () => {
  const turn = (progress: ProjectionProgress, nowMs: number, ...parts: [isTrusted: boolean, isCaughtUp: boolean][]) => {
    progress.begin();
    for (const [isTrusted, isCaughtUp] of parts) progress.brought({ isTrusted, isCaughtUp });
    progress.end(nowMs);
  };

  it('is not known before the first turn', () => {
    const progress = new ProjectionProgress();
    expect([progress.isCacheTrusted, progress.lagMs(5)]).toEqual([false, undefined]);
  });

  it('a cache without parts lacks nothing', () => {
    const progress = new ProjectionProgress();
    turn(progress, 10);
    expect([progress.isCacheTrusted, progress.lagMs(15)]).toEqual([true, 5]);
  });

  it('is that of the part which is worst', () => {
    const progress = new ProjectionProgress();
    turn(progress, 10, [true, true], [true, true]);
    turn(progress, 20, [true, true], [false, false]);
    expect([progress.isCacheTrusted, progress.lagMs(25)]).toEqual([false, 15]);
    turn(progress, 30, [true, false], [true, true]);
    expect([progress.isCacheTrusted, progress.lagMs(35)]).toEqual([true, 25]);
  });

  it('ends the trust if a turn fails or a part belongs to another history, and the lag goes on', () => {
    const progress = new ProjectionProgress();
    turn(progress, 10, [true, true]);
    progress.begin();
    progress.fail();
    expect([progress.isCacheTrusted, progress.lagMs(40)]).toEqual([false, 30]);
    turn(progress, 50, [true, true]);
    progress.begin();
    progress.stopped();
    progress.end(60);
    expect([progress.isCacheTrusted, progress.lagMs(70)]).toEqual([false, 20]);
  });
});
