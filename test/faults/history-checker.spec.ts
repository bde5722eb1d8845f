import type {
  Attempt,
  Evidence,
  History,
  OutboxRow,
  Read,
  StoredRow,
  StoredTask,
  TaskAttempt,
  TaskEventRow,
  TaskSighting,
} from './history';
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

const NOTHING_DONE: History = { attempts: [], reads: [], taskAttempts: [], sightings: [], calm: [] };
const NOTHING_STORED: Evidence = { stored: [], tasks: [], outbox: [], taskEvents: [], homeless: [], announced: [] };

function check(history: Partial<History>, evidence: Partial<Evidence>): string[] {
  const outbox = evidence.outbox ?? [];
  return violations(
    { ...NOTHING_DONE, ...history },
    { ...NOTHING_STORED, announced: outbox.map(({ op }) => op), ...evidence, outbox },
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
    expect(check(SOUND.history, SOUND.evidence)).toEqual([]);
  });

  it('may hold attempts of unknown outcome, whether or not they took effect', () => {
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

describe('found in the replies that clients got', () => {
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

  it('values that were never written, not yet, or not under that version', () => {
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

  it('a write undone by an older one, or without any cause', () => {
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

  it('an event that was not published, published too late, or never recorded', () => {
    expectProblems({ announced: ['op-20'] }, /not announced: .*"op":"op-10"/);
    expectProblems({ outbox: [row(10), row(20, { published: false })] }, /not announced: .*"op":"op-20"/);
    expectProblems({ announced: ['op-20', 'op-10'] }, /announced too late: .*"op":"op-10"/);
    expectProblems({ announced: ['op-10', 'op-20', 'op-30'] }, /announced, and not recorded: op-30/);
  });
});

describe('a Redis that has lost its data', () => {
  const attempts = [put('one', 10, 0), put('two', 20, 10, { journaled: true })];
  const evidence = { stored: [stored(10, 'one')], outbox: [row(10)] };

  it('may have lost what only its journal had', () => {
    const reads = [read(16, { version: 20, name: 'two' }), read(36, { version: 10, name: 'one' }, { replica: 'a' })];
    expect(check({ attempts, reads, lostUntilMs: 30 }, evidence)).toEqual([]);
    const deleting = [put('one', 10, 0), deletion('gone', 10, { journaled: true })];
    expect(check({ attempts: deleting, reads: [read(16)], lostUntilMs: 30 }, evidence)).toEqual([]);
  });

  it('has lost nothing that came later, and nothing of PostgreSQL', () => {
    expect(check({ attempts, lostUntilMs: 5 }, evidence)).toEqual([
      expect.stringMatching(/lost: 20/),
      expect.stringMatching(/acknowledged, and not in the outbox/),
    ]);
    const inPostgres = [put('one', 10, 0), put('two', 20, 10)];
    expect(check({ attempts: inPostgres, lostUntilMs: 30 }, evidence)).toEqual([
      expect.stringMatching(/lost: 20/),
      expect.stringMatching(/acknowledged, and not in the outbox/),
    ]);
  });

  it('has lost no reason to say "not found"', () => {
    const deleting = [put('one', 10, 0), deletion('gone', 10, { journaled: true })];
    expect(check({ attempts: deleting, reads: [read(36)], lostUntilMs: 30 }, evidence)).toEqual([
      expect.stringMatching(/not found, though 10 was acknowledged/),
    ]);
  });
});

describe('a PostgreSQL that was restored to a moment ago', () => {
  const TASK: StoredTask = { taskId: 't', isDeleted: false, isBlank: false };
  const undone = { fromMs: 8, toMs: 30, seenUntilMs: 50, announced: new Set(['op-10', 'op-20']) };
  const evidence = { stored: [stored(10, 'one')], outbox: [row(10)], tasks: [TASK], announced: ['op-10', 'op-20'] };
  const made: TaskEventRow = { taskId: 't', op: 'made', type: 'task.created', published: true };
  const checkRestored = (history: Partial<History>, more: Partial<Evidence> = {}) => {
    const announced = [made.op, ...(more.announced ?? evidence.announced)];
    return check({ undone, ...history }, { ...evidence, taskEvents: [made], ...more, announced });
  };
  const LOST = [put('one', 10, 0), put('two', 20, 10)];

  it('may have lost what it acknowledged in that time, which clients may have seen, and events have told', () => {
    const reads = [read(16, { version: 20, name: 'two' }), read(56, { version: 10, name: 'one' }, { replica: 'a' })];
    expect(checkRestored({ attempts: LOST, reads })).toEqual([]);
    const deleting = [put('one', 10, 0), deletion('gone', 10)];
    expect(checkRestored({ attempts: deleting, reads: [read(16)] })).toEqual([]);
    const drained = [put('one', 10, 0), put('two', 20, 1, { journaled: true })];
    expect(checkRestored({ attempts: drained })).toEqual([]);
  });

  it('has lost nothing of any other time', () => {
    const lost = [expect.stringMatching(/lost: 20/), expect.stringMatching(/acknowledged, and not in the outbox/)];
    expect(checkRestored({ attempts: [put('one', 10, 0), put('two', 20, 2)] })).toEqual(lost);
    expect(checkRestored({ attempts: [put('one', 10, 0), put('two', 20, 31)] })).toEqual(lost);
    expect(checkRestored({ attempts: [put('one', 10, 0), put('two', 20, 31, { journaled: true })] })).toEqual(lost);
  });

  it('makes dead letters of what was journaled later for a task that it has lost', () => {
    const nothing = { stored: [], outbox: [], tasks: [], taskEvents: [], announced: [] };
    const history = { undone: { ...undone, announced: new Set(['made']) }, reads: [read(56)] };
    const later = (more: Partial<Attempt>) => ({ ...history, attempts: [put('two', 20, 31, more)] });
    const letter = { taskId: 't', key: 'k', version: 20 };
    expect(checkRestored(later({ journaled: true }), { ...nothing, homeless: [letter] })).toEqual([]);
    const lost = expect.stringMatching(/acknowledged, and not in the outbox/) as unknown;
    for (const other of [
      { ...letter, version: 22 },
      { ...letter, key: 'l' },
      { ...letter, deletedBy: 'gone' },
    ]) {
      expect(checkRestored(later({ journaled: true }), { ...nothing, homeless: [other] })).toContainEqual(lost);
    }
    expect(checkRestored(later({ journaled: false }), { ...nothing, homeless: [letter] })).toContainEqual(lost);
  });

  it('has lost it in every answer and event once all replicas have noticed', () => {
    const found = { version: 20, name: 'two' };
    expect(checkRestored({ attempts: LOST, reads: [read(56, found)] })).toEqual([
      expect.stringMatching(/the restore has undone it/),
    ]);
    const deleting = [put('one', 10, 0), deletion('gone', 10)];
    expect(checkRestored({ attempts: deleting, reads: [read(56)] })).toEqual([
      expect.stringMatching(/not found, though 10 was acknowledged/),
    ]);
    expect(checkRestored({ attempts: LOST }, { announced: ['op-10', 'op-20', 'op-30'] })).toEqual([
      expect.stringMatching(/announced, and not recorded: op-30/),
    ]);
  });

  it('may have lost tasks of that time, and what was journaled for them later, and has none that it has not', () => {
    const task = { taskId: 't', replica: 'a', outcome: 'acknowledged' } as const;
    const creation: TaskAttempt = { ...task, kind: 'create', name: 'maker', startedAtMs: 10, endedAtMs: 15 };
    const deletedTask: TaskAttempt = { ...task, kind: 'delete', name: 'ender', startedAtMs: 10, endedAtMs: 15 };
    const sightings = [{ ...task, seen: 'missing', startedAtMs: 56, endedAtMs: 60 } as const];
    const nothing = { stored: [], tasks: [], taskEvents: [], outbox: [row(20, { superseded: true })] };
    const attempts = [put('two', 20, 31, { journaled: true })];
    const homeless = [{ taskId: 't', key: 'k', version: 20 }];
    const history = {
      undone: { ...undone, announced: new Set(['made']) },
      taskAttempts: [creation],
      sightings,
      attempts,
    };
    expect(checkRestored(history, { ...nothing, homeless, announced: [] })).toEqual([]);
    const earlier = { ...history, taskAttempts: [{ ...creation, startedAtMs: 0, endedAtMs: 5 }] };
    expect(checkRestored(earlier, { ...nothing, homeless, announced: [] })).toEqual([
      expect.stringMatching(/not found, though it was created/),
      expect.stringMatching(/lost: its creation was acknowledged/),
    ]);
    const before = { ...creation, startedAtMs: 0, endedAtMs: 5 };
    expect(checkRestored({ taskAttempts: [before, deletedTask], attempts: [put('one', 10, 6)] })).toEqual([]);
    expect(
      checkRestored({
        taskAttempts: [before, { ...deletedTask, startedAtMs: 31, endedAtMs: 35 }],
        attempts: [put('one', 10, 6)],
      }),
    ).toEqual([expect.stringMatching(/there, though its deletion was acknowledged/)]);
  });
});

describe('a task', () => {
  const taskId = 't';
  const at = (atMs: number, replica = 'a') => ({ replica, startedAtMs: atMs, endedAtMs: atMs + 5 });
  const created: TaskAttempt = { taskId, kind: 'create', name: 'maker', outcome: 'acknowledged', ...at(0) };
  const deleted: TaskAttempt = { taskId, kind: 'delete', name: 'ender', outcome: 'acknowledged', ...at(20) };
  const sighting = (seen: TaskSighting['seen'], atMs: number, replica = 'b') => ({
    taskId,
    seen,
    ...at(atMs, replica),
  });
  const LIVE: StoredTask = { taskId, isDeleted: false, isBlank: false };
  const GONE: StoredTask = { taskId, isDeleted: true, isBlank: true };
  const event = (op: string, deletedBy?: string): TaskEventRow => ({
    ...{ taskId, op, type: deletedBy ? 'task.deleted' : 'task.created', published: true, deletedBy },
  });
  const ofLive = { tasks: [LIVE], taskEvents: [event('made')], announced: ['made'] };
  const ofGone = { tasks: [GONE], taskEvents: [event('made'), event('ended', 'ender')], announced: ['made', 'ended'] };
  const problems = (...patterns: RegExp[]) => patterns.map((pattern) => expect.stringMatching(pattern) as unknown);

  it('may be there, be deleted, or be of unknown outcome', () => {
    const unknown: TaskAttempt = { ...deleted, outcome: 'unknown' };
    expect(check({ taskAttempts: [created], sightings: [sighting('changed', 10)] }, ofLive)).toEqual([]);
    expect(check({ taskAttempts: [created, deleted], sightings: [sighting('missing', 22)] }, ofGone)).toEqual([]);
    expect(check({ taskAttempts: [created, unknown] }, ofLive)).toEqual([]);
    expect(check({ taskAttempts: [created, unknown] }, ofGone)).toEqual([]);
    expect(check({ taskAttempts: [{ ...created, outcome: 'unknown' }] }, {})).toEqual([]);
  });

  it('takes its attachments with it, and what comes of them too late', () => {
    const attempts = [put('one', 10, 8), put('late', 20, 18, { journaled: true })];
    const outbox = [row(10), row(20, { superseded: true })];
    const evidence = { ...ofGone, outbox, announced: ['made', 'op-10', 'ended'] };
    const reads = [read(21, undefined, { replica: 'a', byName: false })];
    expect(check({ attempts, reads, taskAttempts: [created, deleted] }, evidence)).toEqual([]);
    const left = { ...evidence, tasks: [{ ...GONE, isBlank: false }], stored: [stored(10, 'one')] };
    expect(check({ attempts, taskAttempts: [created, deleted] }, left)).toEqual(
      problems(/what it held is left/, /left of it after its deletion/),
    );
  });

  it('does not come back, or go, unasked', () => {
    expect(check({ taskAttempts: [created, deleted] }, ofLive)).toEqual(problems(/there, though its deletion/));
    expect(check({ taskAttempts: [created] }, ofGone)).toEqual(problems(/no call asked/, /no call asked/));
    expect(check({ taskAttempts: [created] }, {})).toEqual(problems(/lost: its creation/));
  });

  it('is not seen after its deletion by the replica that made it, nor by any when all is calm', () => {
    const taskAttempts = [created, deleted];
    const calm = [{ fromMs: 30, toMs: 50 }];
    const seen = (one: TaskSighting) => check({ taskAttempts, sightings: [one], calm }, ofGone);
    expect(seen(sighting('there', 26))).toEqual([]);
    expect(seen(sighting('there', 26, 'a'))).toEqual(problems(/the replica itself has deleted it/));
    expect(seen(sighting('there', 31))).toEqual(problems(/stale: it had been deleted/));
    expect(seen(sighting('changed', 26))).toEqual(problems(/written to after its deletion/));
  });

  it('is not "not found" before a deletion begins', () => {
    const sightings = [sighting('missing', 10)];
    expect(check({ taskAttempts: [created, deleted], sightings }, ofGone)).toEqual(problems(/not found, though/));
  });

  it('is announced from its creation to its deletion, once each', () => {
    const attempts = [put('one', 10, 8)];
    const outbox = [row(10)];
    const announced = (...ops: string[]) =>
      check({ attempts, taskAttempts: [created, deleted] }, { ...ofGone, outbox, announced: ops });
    expect(announced('made', 'op-10', 'ended', 'op-10')).toEqual([]);
    expect(announced('op-10', 'made', 'ended')).toEqual(problems(/wrong side of task.created/));
    expect(announced('made', 'ended', 'op-10')).toEqual(problems(/wrong side of task.deleted/));
    expect(announced('made', 'op-10')).toEqual(problems(/not announced: .*"op":"ended"/));
    const twice = { ...ofGone, taskEvents: [...ofGone.taskEvents, event('again', 'ender')] };
    const ops = ['made', 'ended', 'again'];
    expect(check({ taskAttempts: [created, deleted] }, { ...twice, announced: ops })).toEqual(
      problems(/in the outbox is \[task.created,task.deleted,task.deleted\]/),
    );
  });
});
