import { JournalBacklog } from '../../../../src/core/consistency/journal-backlog';

const NOTHING: readonly string[] = [];

describe('what a replica knows of the journal', () => {
  let backlog: JournalBacklog;
  beforeEach(() => (backlog = new JournalBacklog()));

  it('is nothing before its first look', () => {
    expect(backlog.mayExist).toBe(true);
  });

  it('is what it has seen', async () => {
    expect(await backlog.learnFrom(Promise.resolve(NOTHING))).toBe(NOTHING);
    expect(backlog.mayExist).toBe(false);
    await backlog.learnFrom(Promise.resolve(['an entry']));
    expect(backlog.mayExist).toBe(true);
  });

  it('is nothing after a look that failed', async () => {
    await backlog.learnFrom(Promise.resolve(NOTHING));
    await expect(backlog.learnFrom(Promise.reject(new Error('silent')))).rejects.toThrow('silent');
    expect(backlog.mayExist).toBe(true);
  });

  it('includes its own appends, also those that a look may have missed', async () => {
    await backlog.learnFrom(Promise.resolve(NOTHING));
    backlog.learnAppend();
    expect(backlog.mayExist).toBe(true);
    const look = backlog.learnFrom(Promise.resolve(NOTHING));
    backlog.learnAppend();
    await look;
    expect(backlog.mayExist).toBe(true);
    await backlog.learnFrom(Promise.resolve(NOTHING));
    expect(backlog.mayExist).toBe(false);
  });
});
