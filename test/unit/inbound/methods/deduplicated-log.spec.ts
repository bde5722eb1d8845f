import { DeduplicatedLog } from '../../../../src/inbound/methods/deduplicated-log';

describe('DeduplicatedLog', () => {
  let written: string[];
  let log: DeduplicatedLog;
  const add = (subject: string, text: string, times = 1) => {
    for (let i = 0; i < times; i++) log.add(subject, text);
  };

  beforeEach(() => {
    jest.useFakeTimers();
    written = [];
    log = new DeduplicatedLog((line) => written.push(line));
  });
  afterEach(() => jest.useRealTimers());

  it('the first line on a subject is written at once, and its repetitions are counted every ten seconds', () => {
    add('a', 'unavailable', 1000);
    add('b', 'unavailable');
    expect(written.splice(0)).toEqual(['a: unavailable', 'b: unavailable']);
    jest.advanceTimersByTime(9999);
    expect(written).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(written.splice(0)).toEqual(['a: in the last 10 s 999x unavailable']);
    add('a', 'unavailable', 2);
    expect(written).toEqual([]);
    jest.advanceTimersByTime(10_000);
    expect(written).toEqual(['a: in the last 10 s 2x unavailable']);
  });

  it('a line has the ids of the last call that it is about', () => {
    const ids: unknown[] = [];
    const withIds = new DeduplicatedLog((_line, ofCall) => ids.push(ofCall));
    for (const requestId of ['1', '2', '3']) withIds.add('a', 'unavailable', { requestId });
    jest.advanceTimersByTime(10_000);
    expect(ids).toEqual([{ requestId: '1' }, { requestId: '3' }]);
  });

  it('one line names all texts that came on a subject', () => {
    add('a', 'unavailable');
    for (const text of ['late', 'unavailable', 'late']) add('a', text);
    jest.advanceTimersByTime(10_000);
    expect(written).toEqual(['a: unavailable', 'a: in the last 10 s 2x late, 1x unavailable']);
  });

  it('a subject on which nothing came for ten seconds is forgotten', () => {
    add('a', 'unavailable');
    jest.advanceTimersByTime(10_000);
    expect(jest.getTimerCount()).toBe(0);
    add('a', 'unavailable');
    expect(written).toEqual(['a: unavailable', 'a: unavailable']);
  });
});
