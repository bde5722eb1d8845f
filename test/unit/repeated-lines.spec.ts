import { RepeatedLines } from '../../src/inbound/rpc/repeated-lines';

describe('RepeatedLines', () => {
  let written: string[];
  let lines: RepeatedLines;
  const add = (line: string, times: number) => {
    for (let i = 0; i < times; i++) lines.add(line);
  };

  beforeEach(() => {
    jest.useFakeTimers();
    written = [];
    lines = new RepeatedLines((line) => written.push(line));
  });
  afterEach(() => jest.useRealTimers());

  it('writes each line at once, and how often it came again once a second', () => {
    add('a', 1000);
    add('b', 1);
    expect(written.splice(0)).toEqual(['a', 'b']);
    jest.advanceTimersByTime(1000);
    expect(written.splice(0)).toEqual(['a, 999 more']);
    add('a', 2);
    expect(written).toEqual([]);
    jest.advanceTimersByTime(1000);
    expect(written).toEqual(['a, 2 more']);
  });

  it('forgets a line that has stayed away for a second', () => {
    add('a', 1);
    jest.advanceTimersByTime(1000);
    expect(jest.getTimerCount()).toBe(0);
    add('a', 1);
    expect(written).toEqual(['a', 'a']);
  });
});
