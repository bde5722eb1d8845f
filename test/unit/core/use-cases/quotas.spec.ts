import { setImmediate as turn } from 'node:timers/promises';
import { JsonText } from '../../../../src/core/domain/json-text';
import type { AttachmentStore } from '../../../../src/core/ports/attachment-store';
import type { TaskStore } from '../../../../src/core/ports/task-store';
import { MemoryAttachmentStore } from '../../../../src/outbound/memory/memory-attachment-store';
import { MemoryTaskStore } from '../../../../src/outbound/memory/memory-task-store';
import { CALLER, Fixture, FOREIGN_CALLER, JournalingFixture } from '../../../support/fixture';

let fixture: Fixture;
beforeEach(async () => {
  fixture = new Fixture();
  await fixture.task('t-1');
});

const { organization } = CALLER;
const limit = (quota: { attachments?: number; bytes?: number }) => fixture.quotas.set(organization, quota);
const put = (key: string, content = 'xx', more: Parameters<Fixture['text']>[3] = {}) =>
  fixture.text('t-1', key, content, more);
const remove = (key: string) => fixture.useCases.deleteAttachment.execute({ taskId: 't-1', key }, CALLER);
const usage = () => fixture.useCases.getUsage.execute(CALLER);
const exceeded = (quota: 'attachments' | 'bytes', ofLimit: number, use: number) => ({
  refusal: { kind: 'quota-exceeded', quota, limit: ofLimit, use },
});
const counts = () => fixture.postgres.calls.filter((call) => call === 'usage').length;
/** From now on a count goes on until `ended`, and finds what is there then. */
const countsLast = (ended: () => Promise<unknown>) => {
  const store: TaskStore = new MemoryTaskStore(fixture.database);
  const usage: TaskStore['usage'] = async (...args) => {
    await ended();
    return store.usage(...args);
  };
  Object.assign(fixture.ports.tasks, { usage });
};
/** The next put does not begin until what is returned is called. */
const nextPutWaits = (): (() => void) => {
  const store: AttachmentStore = new MemoryAttachmentStore(fixture.database);
  let begin = (): void => undefined;
  let first: Promise<void> | undefined = new Promise((resolve) => (begin = resolve));
  const put: AttachmentStore['put'] = async (...args) => {
    const waiting = first;
    first = undefined;
    await waiting;
    return store.put(...args);
  };
  Object.assign(fixture.ports.store, { put });
  return begin;
};
const removeElsewhere = (key: string) =>
  fixture.ports.store.delete(
    {
      taskId: 't-1',
      key,
      stamp: { version: 2 ** 50, op: '00000000-0000-4000-8000-00000000dead' },
      event: { type: 'task.attachment.deleted', payload: {}, metadata: { eventId: `other-${key}` }, timestamp: 0 },
    },
    organization,
    undefined,
    fixture.clock.nowMs(),
    1000,
  );

describe('the use of an organisation', () => {
  it('is counted with what was done just before, and shows the limits', async () => {
    expect(await usage()).toEqual({ tasks: 1, attachments: 0, bytes: 0, limits: {} });
    await put('a', 'äöü');
    await put('b');
    await put('b', 'x');
    limit({ bytes: 100 });
    expect(await usage()).toEqual({ tasks: 1, attachments: 2, bytes: 7, limits: { bytes: 100 } });
    await remove('a');
    expect(await usage()).toMatchObject({ attachments: 1, bytes: 1 });
    expect(await fixture.useCases.getUsage.execute(FOREIGN_CALLER)).toMatchObject({ tasks: 0, attachments: 0 });
  });

  it('is a failure of the store if the store cannot count', async () => {
    fixture.postgres.fails = 'unavailable';
    await expect(usage()).rejects.toMatchObject({ store: 'postgres', outcome: 'unavailable' });
  });
});

describe('a quota of attachments', () => {
  beforeEach(() => limit({ attachments: 2 }));

  it('refuses one too many, and takes another one when something was deleted', async () => {
    await put('a');
    await put('b');
    await expect(put('c')).rejects.toMatchObject(exceeded('attachments', 2, 2));
    expect((await fixture.list('t-1')).totalCount).toBe(2);
    await remove('a');
    await put('c');
    await expect(put('d')).rejects.toMatchObject(exceeded('attachments', 2, 2));
    await fixture.useCases.deleteTask.execute('t-1', CALLER);
    await fixture.task('t-2');
    await fixture.text('t-2', 'a', 'x');
  });

  it('takes every overwrite', async () => {
    await put('a');
    await put('b');
    for (const key of ['a', 'b', 'a']) expect((await put(key, 'other')).replaced).toBe(true);
    await expect(put('c')).rejects.toMatchObject(exceeded('attachments', 2, 2));
  });

  it('is kept by many that are created at the same time', async () => {
    const outcomes = await Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map((key) => put(key)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(await usage()).toMatchObject({ attachments: 2 });
  });

  it('gives back what a write that failed would have taken', async () => {
    await put('a');
    for (let i = 0; i < 3; i++) {
      await expect(fixture.text('t-1', 'a', 'x', { condition: { ifAbsent: true } })).rejects.toMatchObject({
        refusal: { kind: 'version-conflict' },
      });
    }
    await put('b');
  });

  it('counts what was there before the replica started, and what other replicas have written', async () => {
    fixture.quotas.clear();
    for (const key of ['a', 'b', 'c']) await put(key);
    limit({ attachments: 3 });
    await expect(put('d')).rejects.toMatchObject(exceeded('attachments', 3, 3));
    await removeElsewhere('a');
    fixture.clock.advance(1000);
    await put('d');
  });

  it('is of one organisation, and changes when the operator changes it', async () => {
    await put('a');
    await put('b');
    await fixture.task('t-9', {}, FOREIGN_CALLER);
    for (const key of ['a', 'b', 'c']) {
      const command = { taskId: 't-9', key, type: 'text' as const, content: 'x', condition: undefined };
      await fixture.useCases.createAttachment.execute(command, FOREIGN_CALLER);
    }
    await expect(put('c')).rejects.toMatchObject(exceeded('attachments', 2, 2));
    limit({ attachments: 3 });
    await put('c');
    limit({ attachments: 0 });
    await expect(put('d')).rejects.toMatchObject(exceeded('attachments', 0, 3));
    expect((await put('a')).replaced).toBe(true);
  });

  it('holds for results and for retired data; a repeated call is returned as the first time', async () => {
    const data = { id: 't-2', text: 'x', metadata: JsonText.of({ data: { a: 1 } }) };
    await fixture.useCases.createTask.execute(data, CALLER);
    const completion = { taskId: 't-1', workerId: 'w', result: JsonText.of(1) };
    const first = await fixture.useCases.completeTask.execute(completion, CALLER);
    expect(await fixture.useCases.createTask.execute(data, CALLER)).toMatchObject({ replayed: true });
    expect(await fixture.useCases.completeTask.execute(completion, CALLER)).toEqual(first);

    const refused = exceeded('attachments', 2, 2);
    await expect(fixture.useCases.createTask.execute({ ...data, id: 't-3' }, CALLER)).rejects.toMatchObject(refused);
    expect(fixture.database.task('t-3')).toBeUndefined();
    const other = fixture.useCases.completeTask.execute({ ...completion, taskId: 't-2' }, CALLER);
    await expect(other).rejects.toMatchObject(refused);
    expect(fixture.database.task('t-2')?.status).toBe('pending');
    await fixture.useCases.completeTask.execute({ taskId: 't-2' }, CALLER);
  });

  it('does not hide that a task is missing', async () => {
    await put('a');
    await put('b');
    await expect(fixture.text('t-none', 'k', 'x')).rejects.toMatchObject({ refusal: { kind: 'task-not-found' } });
  });
});

describe('a quota of bytes', () => {
  it('counts the difference of an overwrite, and takes what makes it less', async () => {
    limit({ bytes: 10 });
    await put('a', '12345');
    await put('b', '12345');
    await expect(put('c', '1')).rejects.toMatchObject(exceeded('bytes', 10, 10));
    await put('c', '');
    await put('a', '54321');
    await expect(put('a', '654321')).rejects.toMatchObject({ refusal: { kind: 'quota-exceeded', quota: 'bytes' } });
    await put('a', '1');
    await put('c', '1234');
    expect(await usage()).toMatchObject({ bytes: 10 });
  });
});

describe('a create for which there is room', () => {
  it('is not refused for writes that were acknowledged during a count, and are in it', async () => {
    limit({ attachments: 10 });
    await put('first');
    fixture.clock.advance(1000);
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    countsLast(() => ended);
    for (let i = 0; i < 8; i++) await put(`k-${i}`);
    end();
    await turn();
    await put('last');
    await expect(put('over')).rejects.toMatchObject(exceeded('attachments', 10, 10));
  });

  it('is not refused if it comes with as many others as there is room for', async () => {
    limit({ attachments: 100 });
    countsLast(turn);
    await put('first');
    fixture.clock.advance(1000);
    const coming: Promise<unknown>[] = [];
    for (let i = 0; i < 99; i++) {
      coming.push(put(`k-${i}`));
      if (i % 10 === 0) await turn();
    }
    await Promise.all(coming);
    await expect(put('over')).rejects.toMatchObject(exceeded('attachments', 100, 100));
  });

  it('is not refused while the count goes on that will find what was deleted or made less', async () => {
    limit({ bytes: 10 });
    countsLast(turn);
    await put('a', '12345');
    await put('b', '12345');
    await put('a', '1');
    await put('b', '123456789');
    await remove('b');
    await put('c', '123456789');
    await expect(put('d', '1')).rejects.toMatchObject(exceeded('bytes', 10, 10));
  });

  it('is not refused for another create that fails, or that replaces something', async () => {
    limit({ attachments: 2 });
    await put('a');
    for (const condition of [undefined, { ifAbsent: true } as const]) {
      const begin = nextPutWaits();
      const other = put('a', 'other', { condition });
      await turn();
      const created = put('b');
      await turn();
      begin();
      await Promise.allSettled([other]);
      await created;
      await remove('b');
    }
  });

  it('waits for the count that another one has begun', async () => {
    limit({ attachments: 2 });
    countsLast(turn);
    await put('a');
    await put('b');
    await expect(put('c')).rejects.toMatchObject(exceeded('attachments', 2, 2));
    await removeElsewhere('a');
    await removeElsewhere('b');
    fixture.clock.advance(1000);
    fixture.forgetCalls();
    await Promise.all([put('c'), put('d')]);
    expect(counts()).toBe(1);
  });

  it('waits for no more than a second: then what is under way counts as written', async () => {
    limit({ attachments: 1 });
    const begin = nextPutWaits();
    const first = put('a');
    await turn();
    const second = expect(put('b')).rejects.toMatchObject(exceeded('attachments', 1, 1));
    await turn();
    fixture.clock.advance(1000);
    await second;
    begin();
    await first;
  });
});

describe('what a quota costs', () => {
  it('is nothing without a quota, and nothing from the second create on', async () => {
    fixture.forgetCalls();
    await put('a');
    expect(fixture.postgres.calls).toEqual(['put']);
    limit({ attachments: 1000, bytes: 1_000_000 });
    fixture.forgetCalls();
    await put('b');
    for (let i = 0; i < 10; i++) await put(`c-${i}`);
    expect(fixture.postgres.calls).toEqual(['usage', ...new Array<string>(11).fill('put')]);
  });

  it('is a count in the background every few creates, more often near the limit', async () => {
    limit({ attachments: 100 });
    await put('a');
    const countsOf = async (creates: number) => {
      fixture.forgetCalls();
      for (let i = 0; i < creates; i++) {
        fixture.clock.advance(1000);
        await put(`k-${fixture.clock.nowMs()}`);
      }
      return fixture.postgres.calls.filter((call) => call === 'usage').length;
    };
    const early = await countsOf(40);
    const late = await countsOf(40);
    expect(early).toBeLessThan(8);
    expect(late).toBeGreaterThan(early);
  });

  it('is one count a second for all calls that are refused, whatever their number', async () => {
    limit({ attachments: 2 });
    countsLast(turn);
    await put('a');
    await put('b');
    const refused = async () => {
      fixture.forgetCalls();
      const keys = Array.from({ length: 50 }, (_, i) => `k-${i}`);
      const outcomes = await Promise.allSettled(keys.map((key) => put(key)));
      expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
      return counts();
    };
    await refused();
    expect(await refused()).toBe(0);
    fixture.clock.advance(1000);
    expect(await refused()).toBe(1);
    expect(await refused()).toBe(0);
  });

  it('is no count for a refusal if a count takes long, until the next one is due', async () => {
    limit({ attachments: 1 });
    await put('a');
    countsLast(() => fixture.clock.sleep(600));
    fixture.clock.advance(1000);
    await expect(put('b')).rejects.toMatchObject(exceeded('attachments', 1, 1));
    await remove('a');
    fixture.forgetCalls();
    await expect(put('b')).rejects.toMatchObject(exceeded('attachments', 1, 1));
    expect(counts()).toBe(0);
    fixture.clock.advance(20 * 600);
    await put('b');
  });

  it('is no count for an overwrite that adds nothing', async () => {
    limit({ attachments: 1 });
    await put('a');
    fixture.forgetCalls();
    await put('a');
    await put('a');
    expect(counts()).toBe(0);
  });

  it('does not keep a write from the journal, which is counted when it is drained', async () => {
    const journaling = new JournalingFixture();
    fixture = journaling;
    await fixture.task('t-1');
    await fixture.useCases.projectChanges.execute();
    limit({ attachments: 1 });
    await put('a');
    fixture.clock.advance(1000);
    fixture.postgres.fails = 'unavailable';
    expect(await put('b')).toMatchObject({ degraded: true });
    fixture.postgres.fails = undefined;
    await fixture.useCases.drainJournal.execute();
    expect(await usage()).toMatchObject({ attachments: 2 });
    await expect(put('c')).rejects.toMatchObject(exceeded('attachments', 1, 2));
  });
});
