import { RecordReads } from '../../../../src/outbound/redis/record-reads';

describe('reads of many records', () => {
  /** Begins reads that go on until they are ended; `begun` has the organisation of each that has begun. */
  const open = () => {
    const reads = new RecordReads();
    const begun: string[] = [];
    const ends: ((error?: Error) => void)[] = [];
    const settled = () => new Promise((resolve) => setImmediate(resolve));
    const read = (organization: string, records: number) =>
      reads.inTurn(records, organization, () => {
        begun.push(organization);
        return new Promise<void>((resolve, reject) => ends.push((error) => (error ? reject(error) : resolve())));
      });
    return { begun, ends, read, settled };
  };

  // What still waits at the end of a test would otherwise be given up while another one runs.
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['setImmediate'] }));
  afterEach(() => jest.useRealTimers());

  it('of one organisation wait for each other, and those of another one begin at once', async () => {
    const { begun, read, settled } = open();
    for (let i = 0; i < 50; i++) void read('a', 100);
    await settled();
    const ofA = begun.length;
    void read('b', 100);
    await settled();
    expect(ofA).toBeLessThan(10);
    expect(begun.slice(ofA)).toEqual(['b']);
  });

  it('begin when others have ended, also if these have failed', async () => {
    const { begun, ends, read, settled } = open();
    const failed: unknown[] = [];
    for (let i = 0; i < 50; i++) read('a', 100).catch((error) => failed.push(error));
    await settled();
    const first = begun.length;
    ends[0]?.();
    ends[1]?.(new Error('lost'));
    await settled();
    expect(begun).toHaveLength(first + 2);
    expect(failed).toEqual([new Error('lost')]);
  });

  it('do not hold up reads of few records', async () => {
    const { begun, read, settled } = open();
    for (let i = 0; i < 50; i++) void read('a', 100);
    await settled();
    const before = begun.length;
    for (let i = 0; i < 50; i++) void read('a', 1);
    await settled();
    expect(begun).toHaveLength(before + 50);
  });

  it('leave room for 32 of twenty records, which take Redis little time', async () => {
    const { begun, read, settled } = open();
    for (let i = 0; i < 32; i++) void read('a', 20);
    await settled();
    expect(begun).toHaveLength(32);
  });
});
