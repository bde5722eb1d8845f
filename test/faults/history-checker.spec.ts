import type { Attempt, Evidence, History, OutboxRow, Read, StoredRow } from './history';
import { violations } from './history-checker';

const REF = { taskId: 't', key: 'k' };
const TOMBSTONE = undefined;

const put = (name: string, version: number, atMs: number, more: Partial<Attempt> = {}): Attempt => ({
  ...{ ...REF, kind: 'put', name, version, replica: 'a', outcome: 'acknowledged', journaled: false },
  ...{ startedAtMs: atMs, endedAtMs: atMs + 5, ...more },
});
const deletion = (name: string, atMs: number, more: Partial<Attempt> = {}): Attempt => ({
  ...put(name, 0, atMs, more),
  ...{ kind: 'delete', version: undefined },
});
const UNKNOWN = { outcome: 'unknown', version: undefined } as const;
const read = (atMs: number, found?: Read['found'], more: Partial<Read> = {}): Read => ({
  ...{ ...REF, replica: 'b', startedAtMs: atMs, endedAtMs: atMs + 5, byName: true, found, ...more },
});
const stored = (version: number, name?: string): StoredRow => ({ ...REF, version, op: `op-${version}`, name });
const row = (version: number, more: Partial<OutboxRow> = {}): OutboxRow => ({
  ...{ ...REF, op: `op-${version}`, version, superseded: false, published: true, ...more },
});

function check(history: Partial<History>, evidence: Partial<Evidence>): string[] {
  const outbox = evidence.outbox ?? [];
  return violations(
    { attempts: [], reads: [], calm: [], ...history },
    { stored: [], announced: outbox.map(({ op }) => op), ...evidence, outbox },
  );
}

/** Written twice, the second time by the journal, then deleted. */
const SOUND = {
  history: {
    attempts: [put('one', 10, 0), put('two', 20, 10, { journaled: true }), deletion('gone', 20)],
    reads: [read(6, { version: 10, name: 'one' }), read(16, { version: 20, name: 'two' }), read(26)],
    calm: [{ fromMs: 0, toMs: 100 }],
  },
  evidence: {
    stored: [stored(30, TOMBSTONE)],
    outbox: [row(10), row(20), row(30, { deletedBy: 'gone' })],
    announced: ['op-10', 'op-20', 'op-10', 'op-30'],
  },
};

describe('a sound history', () => {
  it('has nothing wrong with it', () => {
    expect(violations(SOUND.history, SOUND.evidence)).toEqual([]);
  });

  it('may hold attempts whose outcome nobody knows, whether or not they took effect', () => {
    const attempts = [put('one', 10, 0), put('lost', 0, 10, UNKNOWN), put('late', 0, 10, UNKNOWN)];
    expect(check({ attempts }, { stored: [stored(10, 'one')], outbox: [row(10)] })).toEqual([]);
    expect(check({ attempts }, { stored: [stored(15, 'late')], outbox: [row(10), row(15)] })).toEqual([]);
    const deleting = [put('one', 10, 0), deletion('late', 10, UNKNOWN)];
    const outbox = [row(10), row(15, { deletedBy: 'late' })];
    expect(check({ attempts: deleting }, { stored: [stored(15)], outbox })).toEqual([]);
    expect(check({ attempts: [put('lost', 0, 10, UNKNOWN)] }, {})).toEqual([]);
  });

  it('may announce something newer before what it has overtaken in the journal', () => {
    const attempts = [put('two', 20, 0), put('one', 10, 0, { journaled: true })];
    const outbox = [row(20), row(10, { superseded: true })];
    expect(check({ attempts }, { stored: [stored(20, 'two')], outbox })).toEqual([]);
  });

  it('may be stale elsewhere while there are faults', () => {
    const attempts = [put('one', 10, 0), put('two', 20, 10)];
    const evidence = { stored: [stored(20, 'two')], outbox: [row(10), row(20)] };
    expect(check({ attempts, reads: [read(16, { version: 10, name: 'one' })] }, evidence)).toEqual([]);
  });

  it('may miss, in PostgreSQL, what only the journal has, and the other way round', () => {
    const journaled = [put('one', 10, 0, { journaled: true })];
    const ofJournal = { stored: [stored(10, 'one')], outbox: [row(10)] };
    expect(check({ attempts: journaled, reads: [read(6)] }, ofJournal)).toEqual([]);
    const attempts = [put('one', 10, 0), deletion('gone', 10, { journaled: true }), put('two', 30, 20)];
    const evidence = {
      stored: [stored(30, 'two')],
      outbox: [row(10), row(20, { deletedBy: 'gone' }), row(30)],
    };
    expect(check({ attempts, reads: [read(26)] }, evidence)).toEqual([]);
  });
});

describe('found in what clients were answered', () => {
  const evidence = { stored: [stored(20, 'two')], outbox: [row(10), row(20)] };
  const attempts = [put('one', 10, 0), put('two', 20, 10)];
  const expectProblem = (reads: Read[], problem: RegExp, more: Partial<History> = {}) => {
    expect(check({ attempts, reads, ...more }, evidence)).toEqual([expect.stringMatching(problem)]);
  };

  it('a replica that goes back behind what it has acknowledged', () => {
    const ownRead = { replica: 'a' };
    expectProblem([read(16, { version: 10, name: 'one' }, ownRead)], /the replica itself has acknowledged \(20\)/);
    expectProblem([read(16, undefined, { ...ownRead, byName: false })], /the replica itself has acknowledged \(20\)/);
  });

  it('a stale answer while all is calm', () => {
    const calm = [{ fromMs: 15, toMs: 50 }];
    expectProblem([read(16, { version: 10, name: 'one' })], /stale: 20 was acknowledged/, { calm });
    expectProblem([read(16, undefined, { byName: false })], /stale: 20 was acknowledged/, { calm });
    expect(check({ attempts, calm, reads: [read(14, { version: 10, name: 'one' })] }, evidence)).toEqual([]);
  });

  it('"not found" of what is there', () => {
    expectProblem([read(16)], /not found, though 20 was acknowledged/);
    const deletedBefore = [deletion('gone', 0, { journaled: true }), put('two', 20, 10, { journaled: true })];
    const both = [...deletedBefore, put('three', 30, 10)];
    const outbox = [row(15, { deletedBy: 'gone' }), row(20), row(30)];
    expect(check({ attempts: both, reads: [read(16)] }, { stored: [stored(30, 'three')], outbox })).toEqual([
      expect.stringMatching(/not found, though 30 was acknowledged/),
    ]);
  });

  it('"not found" because of a deletion that began afterwards', () => {
    const later = [...attempts, deletion('gone', 30)];
    const outbox = [row(10), row(20), row(30, { deletedBy: 'gone' })];
    expect(check({ attempts: later, reads: [read(16)] }, { stored: [stored(30)], outbox })).toHaveLength(1);
  });

  it('values that nobody has written, not yet, or not as that version', () => {
    expectProblem([read(16, { version: 20, name: 'other' })], /made up/);
    expectProblem([read(2, { version: 20, name: 'two' })], /made up/);
    expectProblem([read(16, { version: 25, name: 'two' })], /20 under a newer version/);
  });
});

describe('found in what has come of it', () => {
  const attempts = [put('one', 10, 0), put('two', 20, 10)];
  const outbox = [row(10), row(20)];
  const expectProblems = (evidence: Partial<Evidence>, ...problems: RegExp[]) => {
    const expected = problems.map((problem) => expect.stringMatching(problem) as unknown);
    expect(check({ attempts }, { stored: [stored(20, 'two')], outbox, ...evidence })).toEqual(expected);
  };

  it('a lost write', () => {
    expectProblems({ stored: [] }, /lost: 20/, /the last in the outbox/);
    expectProblems({ stored: [stored(10, 'one')] }, /lost: 20/, /the last in the outbox/);
  });

  it('a write undone by an older one, or by nobody', () => {
    expectProblems({ stored: [stored(21, 'one')] }, /10 came back/, /the last in the outbox/);
    expectProblems({ stored: [stored(21, 'other')] }, /made up/, /the last in the outbox/);
    expectProblems({ stored: [stored(20, 'one')] }, /another write has the version/);
    expectProblems({ stored: [stored(20)] }, /made up/);
  });

  it('a deletion that has been undone', () => {
    const deleted = [put('one', 10, 0), deletion('gone', 10)];
    const rows = [row(10), row(20, { deletedBy: 'gone' })];
    expect(check({ attempts: deleted }, { stored: [stored(10, 'one')], outbox: rows })).toEqual([
      expect.stringMatching(/lost: 20/),
      expect.stringMatching(/the last in the outbox/),
    ]);
  });

  it('a change that is not in the outbox, or in it twice', () => {
    expectProblems({ outbox: [row(20)] }, /acknowledged, and not in the outbox/);
    expectProblems({ outbox: [row(10), row(20), row(20)] }, /twice in the outbox/, /not in the order of versions/);
    const deleted = [put('one', 10, 0), deletion('gone', 10)];
    expect(check({ attempts: deleted }, { stored: [stored(10, 'one')], outbox: [row(10)] })).toEqual([
      expect.stringMatching(/acknowledged, and not in the outbox/),
    ]);
  });

  it('an outbox out of order', () => {
    expectProblems({ outbox: [row(20), row(10)] }, /order of versions/, /last in the outbox/, /announced too late/);
  });

  it('an event that did not go out, went out too late, or of which nobody knows', () => {
    expectProblems({ announced: ['op-20'] }, /not announced: .*"op":"op-10"/);
    expectProblems({ outbox: [row(10), row(20, { published: false })] }, /not announced: .*"op":"op-20"/);
    expectProblems({ announced: ['op-20', 'op-10'] }, /announced too late: .*"op":"op-10"/);
    expectProblems({ announced: ['op-10', 'op-20', 'op-30'] }, /announced, and not recorded: op-30/);
  });
});
