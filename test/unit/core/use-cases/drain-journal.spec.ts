import type { AttachmentJournal, JournaledWrite } from '../../../../src/core/ports/attachment-journal';
import type { AttachmentStore } from '../../../../src/core/ports/attachment-store';
import { TRACING_OFF } from '../../../../src/core/ports/tracing';
import { JournalBacklog } from '../../../../src/core/consistency/journal-backlog';
import { StoreError } from '../../../../src/core/ports/store-error';
import { mintedAtMs } from '../../../../src/core/domain/version';
import { DrainJournal } from '../../../../src/core/use-cases/upkeep/drain-journal';
import { CALLER, JournalingFixture } from '../../../support/fixture';

let fixture: JournalingFixture;
/** What the store answers to some, by task or by task and key. */
let failures: Map<string, StoreError['outcome']>;
/** Tasks that another transaction holds, as the store notices without waiting. */
let locked: Set<string>;
/** What the store was asked to take, call by call. */
let asked: string[][];
let drain: DrainJournal;

const nameOf = (write: JournaledWrite): string => {
  const { taskId, key } = 'put' in write ? write.put.attachment : write.deletion;
  return `${taskId}/${key}`;
};

const taskOf = (name: string): string => name.slice(0, name.indexOf('/'));
const drainFree = async (writes: readonly JournaledWrite[]) => {
  const isLocked = (write: JournaledWrite) => locked.has(taskOf(nameOf(write)));
  const outcomes = [...(await fixture.store.drain(writes.filter((write) => !isLocked(write))))];
  return writes.map((write) => (isLocked(write) ? { state: 'busy' } : outcomes.shift()));
};

beforeEach(async () => {
  fixture = new JournalingFixture();
  failures = new Map();
  asked = [];
  locked = new Set();
  const store = Object.assign(Object.create(fixture.store) as AttachmentStore, {
    drain: async (writes: readonly JournaledWrite[]) => {
      const names = writes.map(nameOf);
      asked.push(names);
      if (names.some((name) => locked.has(taskOf(name)))) return drainFree(writes);
      const failure = names
        .map((name) => failures.get(name) ?? failures.get(taskOf(name)))
        .find((outcome) => outcome !== undefined);
      // As a lock or a silence ends: later than what is taken at once.
      if (failure === 'busy' || failure === 'timeout') await new Promise((resolve) => setImmediate(resolve));
      if (failure) throw new StoreError('postgres', failure);
      return fixture.store.drain(writes);
    },
  });
  drain = new DrainJournal(fixture.journal, store, new JournalBacklog(), TRACING_OFF);
  for (const id of ['t-1', 't-2']) await fixture.task(id);
});

/** Journals one put after the other. */
const journaled = async (...names: string[]) => {
  fixture.postgres.fails = 'unavailable';
  for (const [i, name] of names.entries()) {
    const [taskId, key] = name.split('/') as [string, string];
    await fixture.text(taskId, key, `${i}`);
    fixture.clock.advance(1);
  }
  fixture.postgres.fails = undefined;
};
const waiting = async () => (await fixture.journal.oldest()).flat().map(({ ref }) => `${ref.taskId}/${ref.key}`);
/** Once; the outcome of the error that it throws, if it does. */
const drainOnce = async () => {
  asked = [];
  try {
    return (await drain.execute()).more ? 'more' : 'done';
  } catch (error) {
    return (error as StoreError).outcome;
  }
};

it('the drain knows since when the oldest entry waits, even while the store is unavailable', async () => {
  await drainOnce();
  expect(drain.oldestVersion).toBeUndefined();
  await journaled('t-1/a', 't-2/b');
  const journaledAtMs = fixture.clock.nowMs() - 2;
  failures.set('t-1', 'unavailable').set('t-2', 'unavailable');
  expect(await drainOnce()).toBe('unavailable');
  expect(Math.floor(mintedAtMs(drain.oldestVersion as number))).toBe(journaledAtMs);
  failures.clear();
  expect(await drainOnce()).toBe('more');
  expect(await drainOnce()).toBe('done');
  expect(drain.oldestVersion).toBeUndefined();
});

describe('an entry that the store cannot take for now', () => {
  it.each(['busy', 'failed', 'timeout'] as const)('delays no other entry: %s', async (outcome) => {
    await journaled('t-1/locked', 't-2/a', 't-2/b');
    failures.set('t-1/locked', outcome);
    expect(await drainOnce()).toBe(outcome);
    expect(await waiting()).toEqual(['t-1/locked']);
    failures.clear();
    await drainOnce();
    expect(await waiting()).toEqual([]);
    expect(
      (await fixture.useCases.getAttachment.execute({ taskId: 't-1', key: 'locked' }, CALLER)).attachment.content,
    ).toBe('0');
  });

  it('goes behind the entries that are not read yet', async () => {
    const others = Array.from({ length: 550 }, (_, i) => `t-2/${i}`);
    await journaled('t-1/locked', ...others);
    failures.set('t-1/locked', 'busy');
    await drainOnce();
    expect(await waiting()).toEqual([...others.slice(499), 't-1/locked']);
  });

  it('takes the entries of the same key with it, in their order', async () => {
    await journaled('t-1/k', 't-2/a', 't-1/k', 't-2/b');
    failures.set('t-1/k', 'busy');
    await drainOnce();
    expect(asked.slice(1).flat().toSorted()).toEqual(['t-1/k', 't-2/a', 't-2/b']);
    const entries = (await fixture.journal.oldest()).flat();
    expect(entries.map(({ write }) => write && 'put' in write && write.put.attachment.content)).toEqual(['0', '2']);
  });

  it('takes the entries of the same task with it, which would wait as long', async () => {
    await journaled(...Array.from({ length: 100 }, (_, i) => `t-1/${i}`), 't-2/a');
    failures.set('t-1', 'busy');
    await drainOnce();
    expect(asked.length).toBeLessThan(11);
    expect((await waiting())[0]).toBe('t-1/0');
    expect(await waiting()).not.toContain('t-2/a');
  });

  it('takes no other entry of its task with it if it fails at once', async () => {
    await journaled('t-1/bad', ...Array.from({ length: 20 }, (_, i) => `t-1/${i}`));
    failures.set('t-1/bad', 'failed');
    await drainOnce();
    expect(await waiting()).toEqual(['t-1/bad']);
  });
});

describe('a task that another transaction holds', () => {
  it('sends its entries behind all others, and delays none of them', async () => {
    await journaled('t-1/a', 't-2/a', 't-1/b', 't-1/a', 't-2/b');
    locked.add('t-1');
    expect(await drainOnce()).toBe('busy');
    expect(asked).toHaveLength(1);
    expect(await waiting()).toEqual(['t-1/a', 't-1/b', 't-1/a']);
    locked.clear();
    expect(await drainOnce()).toBe('more');
    expect(await waiting()).toEqual([]);
  });
});

describe('an entry in the format of a newer version of the service', () => {
  let newer: string;
  beforeEach(() => {
    const read = fixture.journal;
    const journal = Object.assign(Object.create(read) as AttachmentJournal, {
      oldest: async () => {
        const parts = await read.oldest();
        return parts.map((entries) =>
          entries.map((entry) =>
            entry.write && nameOf(entry.write) === newer ? { ...entry, write: undefined } : entry,
          ),
        );
      },
    });
    const { store } = drain as unknown as { store: AttachmentStore };
    drain = new DrainJournal(journal, store, new JournalBacklog(), TRACING_OFF);
  });

  it('goes behind all others with what follows it under its key, and delays none of them', async () => {
    newer = 't-1/k';
    await journaled('t-1/k', 't-1/a', 't-1/k', 't-2/b');
    expect(await drainOnce()).toBe('more');
    expect(asked).toEqual([['t-1/a', 't-2/b']]);
    expect(await waiting()).toEqual(['t-1/k', 't-1/k']);
  });

  it('waits, and never dies', async () => {
    newer = 't-1/k';
    await journaled('t-1/k');
    for (let i = 0; i < 3; i++) await expect(drain.execute()).rejects.toThrow('newer version of the service');
    expect(await fixture.journal.backlog()).toEqual({ waiting: 1, deadLetters: 0 });
    newer = 'none';
    expect(await drainOnce()).toBe('more');
    expect(await waiting()).toEqual([]);
  });
});

describe('an entry that the store refuses for good', () => {
  it('becomes a dead letter, with the reason, and delays no other entry', async () => {
    const others = Array.from({ length: 50 }, (_, i) => `t-2/${i}`);
    await journaled(...others.slice(0, 25), 't-1/bad', ...others.slice(25));
    failures.set('t-1/bad', 'refused');
    expect(await drainOnce()).toBe('more');
    expect(await waiting()).toEqual([]);
    expect(await fixture.journal.backlog()).toEqual({ waiting: 0, deadLetters: 1 });
  });
});

describe('an entry whose task the store does not know', () => {
  it('becomes a dead letter, and delays no other entry', async () => {
    await fixture.task('lost');
    await journaled('t-1/k', 'lost/k', 't-2/k');
    const restored = new JournalingFixture();
    for (const id of ['t-1', 't-2']) await restored.task(id);
    drain = new DrainJournal(fixture.journal, restored.store, new JournalBacklog(), TRACING_OFF);
    expect(await drainOnce()).toBe('more');
    expect(await waiting()).toEqual([]);
    expect(await fixture.journal.backlog()).toEqual({ waiting: 0, deadLetters: 1 });
  });
});

describe('the entries of an outage', () => {
  it('are written with few calls of the store', async () => {
    await journaled(...Array.from({ length: 500 }, (_, i) => `t-${1 + (i % 2)}/${i}`));
    expect(await drainOnce()).toBe('more');
    expect(asked.length).toBeLessThanOrEqual(4);
    expect(await waiting()).toEqual([]);
  });
});

describe('a store that is unavailable', () => {
  it.each(['unavailable', 'timeout'] as const)(
    'is asked for a few entries, and no entry is moved: %s',
    async (outcome) => {
      const names = Array.from({ length: 50 }, (_, i) => `t-${1 + (i % 2)}/${i}`);
      await journaled(...names);
      for (const taskId of ['t-1', 't-2']) failures.set(taskId, outcome);
      expect(await drainOnce()).toBe(outcome);
      expect(asked.length).toBeLessThan(10);
      expect(await waiting()).toEqual(names);
    },
  );

  it('stops the drain at the first entry that it has not replied to', async () => {
    const [some, others] = ['t-1', 't-2'].map((taskId) => Array.from({ length: 99 }, (_, i) => `${taskId}/${i}`));
    await journaled(...(some as string[]), ...(others as string[]), 't-1/last');
    failures.set('t-2', 'unavailable');
    expect(await drainOnce()).toBe('unavailable');
    expect(asked).toHaveLength(2);
    expect(await waiting()).toEqual([...(others as string[]), 't-1/last']);
  });
});

describe('entries that have been drained', () => {
  it('are settled together', async () => {
    await journaled('t-1/a', 't-1/b', 't-2/a');
    fixture.forgetCalls();
    expect(await drain.execute()).toEqual({ more: true });
    expect(fixture.redis.calls).toEqual(['oldest', 'settle']);
    expect(await waiting()).toEqual([]);
  });

  it('are left to the replica that is faster', async () => {
    await journaled('t-1/a', 't-1/b');
    const entries = await fixture.journal.oldest();
    await drainOnce();
    await journaled('t-1/c');
    const journal = Object.assign(Object.create(fixture.journal) as AttachmentJournal, {
      oldest: () => Promise.resolve(entries),
    });
    expect(await new DrainJournal(journal, fixture.store, new JournalBacklog(), TRACING_OFF).execute()).toEqual({
      more: false,
    });
    expect(await waiting()).toEqual(['t-1/c']);
    expect(await drainOnce()).toBe('more');
    expect(await drainOnce()).toBe('done');
  });
});
