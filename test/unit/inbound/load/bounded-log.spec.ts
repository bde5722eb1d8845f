import { BoundedLog } from '../../../../src/inbound/load/bounded-log';

describe('BoundedLog', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('writes one line in ten seconds, and says how many it left out', () => {
    const lines: string[] = [];
    const log = new BoundedLog((line) => lines.push(line));
    for (const line of ['first', 'second', 'third']) log.add(line);
    expect(lines).toEqual(['first']);
    jest.advanceTimersByTime(10_000);
    log.add('fourth');
    jest.advanceTimersByTime(10_000);
    log.add('fifth');
    expect(lines).toEqual(['first', 'fourth (and 2 more like it before)', 'fifth']);
  });
});
