import type { AttachmentJournal, JournaledWrite } from '../../../../src/core/ports/attachment-journal';
import type { AttachmentStore } from '../../../../src/core/ports/attachment-store';
import { StoreError } from '../../../../src/core/ports/store-error';
import { DrainJournal } from '../../../../src/core/use-cases/upkeep/drain-journal';
import { CALLER, JournalingFixture } from '../../../support/fixture';

let fixture: JournalingFixture;
/** What the store answers to some, by task or by task and key. */
let failures: Map<string, StoreError['outcome']>;
/** What the store was asked to take, in order. */
let asked: string[];
let drain: DrainJournal;

const nameOf = (write: JournaledWrite): string => {
  const { taskId, key } = 'put' in write ? write.put.attachment : write.deletion;
  return `${taskId}/${key}`;
};

beforeEach(async () => {
  fixture = new JournalingFixture();
  failures = new Map();
  asked = [];
  const store = Object.assign(Object.create(fixture.store) as AttachmentStore, {
    drain: async (write: JournaledWrite) => {
      const name = nameOf(write);
      asked.push(name);
      const failure = failures.get(name) ?? failures.get(name.slice(0, name.indexOf('/')));
      // As a lock or a silence ends: later than what is taken at once.
      if (failure === 'busy' || failure === 'timeout') await new Promise((resolve) => setImmediate(resolve));
      if (failure) throw new StoreError('postgres', failure);
      return fixture.store.drain(write);
    },
  });
  drain = new DrainJournal(fixture.journal, store);
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
const waiting = async () => (await fixture.journal.oldest()).flat().map(({ write }) => nameOf(write));
/** Once; the outcome of the error that it throws, if it does. */
const drainOnce = async () => {
  asked = [];
  try {
    return (await drain.execute()).more ? 'more' : 'done';
  } catch (error) {
    return (error as StoreError).outcome;
  }
};

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
    const others = Array.from({ length: 150 }, (_, i) => `t-2/${i}`);
    await journaled('t-1/locked', ...others);
    failures.set('t-1/locked', 'busy');
    await drainOnce();
    expect(await waiting()).toEqual([...others.slice(99), 't-1/locked']);
  });

  it('takes the entries of the same key with it, in their order', async () => {
    await journaled('t-1/k', 't-2/a', 't-1/k', 't-2/b');
    failures.set('t-1/k', 'busy');
    await drainOnce();
    expect(asked.toSorted()).toEqual(['t-1/k', 't-2/a', 't-2/b']);
    const entries = (await fixture.journal.oldest()).flat();
    expect(entries.map(({ write }) => 'put' in write && write.put.attachment.content)).toEqual(['0', '2']);
  });

  it('takes the entries of the same task with it, which would wait as long', async () => {
    await journaled(...Array.from({ length: 100 }, (_, i) => `t-1/${i}`), 't-2/a');
    failures.set('t-1', 'busy');
    await drainOnce();
    expect(asked.length).toBeLessThan(10);
    expect((await waiting())[0]).toBe('t-2/a');
  });

  it('takes no other entry of its task with it if it fails at once', async () => {
    await journaled('t-1/bad', ...Array.from({ length: 20 }, (_, i) => `t-1/${i}`));
    failures.set('t-1/bad', 'failed');
    await drainOnce();
    expect(await waiting()).toEqual(['t-1/bad']);
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
    const names = Array.from({ length: 20 }, (_, i) => `t-2/${i}`);
    await journaled('t-1/a', 't-1/b', ...names);
    failures.set('t-1/b', 'unavailable');
    expect(await drainOnce()).toBe('unavailable');
    expect(await waiting()).toEqual(['t-1/b', ...names]);
  });
});

describe('entries that have been drained', () => {
  it('are settled together', async () => {
    await journaled('t-1/a', 't-1/b', 't-2/a');
    let underWay = 0;
    let most = 0;
    const journal = Object.assign(Object.create(fixture.journal) as AttachmentJournal, {
      settle: async (...call: Parameters<AttachmentJournal['settle']>) => {
        most = Math.max(most, ++underWay);
        const isTaken = await fixture.journal.settle(...call);
        underWay -= 1;
        return isTaken;
      },
    });
    expect(await new DrainJournal(journal, fixture.store).execute()).toEqual({ more: true });
    expect(most).toBe(3);
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
    expect(await new DrainJournal(journal, fixture.store).execute()).toEqual({ more: false });
    expect(await waiting()).toEqual(['t-1/c']);
    expect(await drainOnce()).toBe('more');
    expect(await drainOnce()).toBe('done');
  });
});
