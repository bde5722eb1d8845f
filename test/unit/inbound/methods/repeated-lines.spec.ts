import { RepeatedLines } from '../../../../src/inbound/methods/repeated-lines';

describe('RepeatedLines', () => {
  let written: string[];
  let lines: RepeatedLines;
  const add = (subject: string, text: string, times = 1) => {
    for (let i = 0; i < times; i++) lines.add(subject, text);
  };

  beforeEach(() => {
    jest.useFakeTimers();
    written = [];
    lines = new RepeatedLines((line) => written.push(line));
  });
  afterEach(() => jest.useRealTimers());

  it('writes the first line on a subject at once, and how often it came again every ten seconds', () => {
    add('a', 'away', 1000);
    add('b', 'away');
    expect(written.splice(0)).toEqual(['a: away', 'b: away']);
    jest.advanceTimersByTime(9999);
    expect(written).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(written.splice(0)).toEqual(['a: in the last 10 s 999x away']);
    add('a', 'away', 2);
    expect(written).toEqual([]);
    jest.advanceTimersByTime(10_000);
    expect(written).toEqual(['a: in the last 10 s 2x away']);
  });

  it('tells in one line of all that came on a subject', () => {
    add('a', 'away');
    for (const text of ['late', 'away', 'late']) add('a', text);
    jest.advanceTimersByTime(10_000);
    expect(written).toEqual(['a: away', 'a: in the last 10 s 2x late, 1x away']);
  });

  it('forgets a subject on which nothing came for ten seconds', () => {
    add('a', 'away');
    jest.advanceTimersByTime(10_000);
    expect(jest.getTimerCount()).toBe(0);
    add('a', 'away');
    expect(written).toEqual(['a: away', 'a: away']);
  });
});
