import type { ArchiveLine } from '../../../src/commands/archive/archive-reader';
import { importLines } from '../../../src/commands/archive/import-lines';
import { Pace } from '../../../src/commands/archive/pace';
import { TaskImport } from '../../../src/commands/archive/task-import';
import { JsonText } from '../../../src/core/domain/json-text';
import { writeJson } from '../../../src/inbound/json-rpc/json-writer';
import { foundAttachmentView } from '../../../src/inbound/methods/attachments.view';
import { taskView } from '../../../src/inbound/methods/tasks.view';
import { CALLER, Fixture, FOREIGN_CALLER, JournalingFixture } from '../../support/fixture';

const MAX_BYTES = 1000;

let source: Fixture;
let target: Fixture;
let refusals: [name: string, reason: string][];
beforeEach(() => {
  source = new Fixture();
  target = new Fixture();
  target.clock.advance(3_600_000);
  refusals = [];
});

const taskLine = async (id: string, caller = CALLER): Promise<ArchiveLine> => ({
  kind: 'task',
  text: writeJson(taskView(await source.useCases.getTask.execute(id, caller))),
  line: '',
});
const attachmentLine = async (taskId: string, key: string): Promise<ArchiveLine> => ({
  kind: 'attachment',
  text: writeJson(foundAttachmentView(await source.useCases.getAttachment.execute({ taskId, key }, CALLER))),
  line: '',
});

async function importAll(
  lines: readonly ArchiveLine[],
  settings: { organization?: string; withoutParent?: string } = {},
  into = target,
) {
  const { importTask, importAttachment } = into.useCases;
  const all = { maxAttachmentBytes: MAX_BYTES, ...settings };
  const work = new TaskImport(importTask, importAttachment, all, (...refusal) => refusals.push(refusal));
  for (const line of lines) await work.take(line);
  const { ...counts } = work.counts;
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

const changed = (line: ArchiveLine, members: object): ArchiveLine => ({
  ...line,
  text: JSON.stringify({ ...(JSON.parse(line.text) as object), ...members }),
});

describe('an import', () => {
  it('gives tasks and attachments back as they were, with versions, times and authors', async () => {
    await source.task('t');
    await source.task('child', { parentId: 't', ttlSeconds: 86_400 });
    const value = JsonText.fromValid('{"n":12345678901234567890}');
    const json = { type: 'json' as const, value, content: undefined };
    await source.text('t', 'v', '', json);
    await source.text('t', 'v', '', json);
    await source.text('child', 'k', 'x', { mimeType: 'text/plain', size: 5, ttlSeconds: 86_400 });
    await source.useCases.completeTask.execute({ taskId: 't', workerId: 'w', error: JsonText.of({ no: 1 }) }, CALLER);
    await source.useCases.cancelTask.execute('child', CALLER);
    const lines = [
      await taskLine('t'),
      await taskLine('child'),
      await attachmentLine('t', 'v'),
      await attachmentLine('child', 'k'),
    ];
    expect(await importAll(lines)).toEqual({ tasks: 2, attachments: 2 });
    source = target;
    const stored = [
      await taskLine('t'),
      await taskLine('child'),
      await attachmentLine('t', 'v'),
      await attachmentLine('child', 'k'),
    ];
    expect(stored[2]?.text).toContain('{"n":12345678901234567890}');
    // The order of the members of a view is that in which an adapter has read them.
    const parsed = (all: readonly ArchiveLine[]) => all.map(({ text }) => JSON.parse(text) as object);
    expect(parsed(stored)).toEqual(parsed(lines));
    expect(target.database.events.map(({ type }) => type)).toEqual([
      'task.created',
      'task.created',
      'task.attachment_created',
      'task.attachment_created',
    ]);
  });

  it('takes a task of every status, however it was given', async () => {
    const { updateTask, completeTask, cancelTask } = source.useCases;
    const ids = ['pending', 'in_progress', 'completed', 'failed', 'cancelled'] as const;
    for (const id of [...ids, 'done', 'lost', 'stopped']) await source.task(id);
    for (const id of ids.slice(1)) await updateTask.execute({ taskId: id, updates: { status: id } }, CALLER);
    await completeTask.execute({ taskId: 'done' }, CALLER);
    await completeTask.execute({ taskId: 'lost', error: JsonText.of('x') }, CALLER);
    await cancelTask.execute('stopped', CALLER);
    const lines = await Promise.all([...ids, 'done', 'lost', 'stopped'].map((id) => taskLine(id)));
    expect(await importAll(lines)).toEqual({ tasks: 8 });
  });

  it('that is repeated changes nothing, and announces nothing', async () => {
    await source.task('t');
    await source.text('t', 'k', 'x');
    const lines = [await taskLine('t'), await attachmentLine('t', 'k')];
    await importAll(lines);
    const events = target.database.events.length;
    expect(await importAll(lines)).toEqual({ present: 2 });
    expect(target.database.events).toHaveLength(events);
  });

  it('leaves alone what is newer, or was deleted', async () => {
    await source.task('t');
    for (const key of ['newer', 'deleted', 'older']) await source.text('t', key, 'archived');
    const lines = [
      await taskLine('t'),
      ...(await Promise.all(['newer', 'deleted', 'older'].map((key) => attachmentLine('t', key)))),
    ];
    await importAll(lines);
    await target.text('t', 'newer', 'newer');
    await target.useCases.deleteAttachment.execute({ taskId: 't', key: 'deleted' }, CALLER);
    await source.text('t', 'older', 'archived again');
    expect(await importAll([...lines, await attachmentLine('t', 'older')])).toEqual({
      attachments: 1,
      present: 2,
      overtaken: 2,
    });
    const { attachments } = await target.list('t');
    expect(attachments.map(({ key, content }) => [key, content])).toEqual([
      ['newer', 'newer'],
      ['older', 'archived again'],
    ]);
  });

  it('is seen by a replica that has cached the list before', async () => {
    await source.task('t');
    await source.text('t', 'k', 'x');
    await importAll([await taskLine('t')]);
    expect((await target.list('t')).totalCount).toBe(0);
    await importAll([await taskLine('t'), await attachmentLine('t', 'k')]);
    expect((await target.list('t')).totalCount).toBe(1);
  });

  it('is judged by the journal, too', async () => {
    const journaling = new JournalingFixture();
    await source.task('t');
    await source.text('t', 'k', 'archived');
    const lines = [await taskLine('t'), await attachmentLine('t', 'k')];
    await importAll(lines.slice(0, 1), {}, journaling);
    await journaling.useCases.projectChanges.execute();
    journaling.clock.advance(10_000);
    await journaling.list('t');
    journaling.postgres.fails = 'unavailable';
    expect(await journaling.text('t', 'k', 'journaled')).toMatchObject({ degraded: true });
    journaling.postgres.fails = undefined;
    expect(await importAll(lines, {}, journaling)).toEqual({ present: 1, overtaken: 1 });
    // Not even for the moment until the journal is drained.
    expect(journaling.database.events.map(({ type }) => type)).toEqual(['task.created']);
  });

  it('that fails half-way says what it has imported, and fails with the reason', async () => {
    const into = new JournalingFixture();
    await source.task('t');
    for (const key of ['a', 'b']) await source.text('t', key, 'x');
    const lines = async function* () {
      yield await taskLine('t');
      yield await attachmentLine('t', 'a');
      into.postgres.fails = 'unavailable';
      yield await attachmentLine('t', 'b');
    };
    const { importTask, importAttachment } = into.useCases;
    const work = new TaskImport(importTask, importAttachment, { maxAttachmentBytes: MAX_BYTES }, () => undefined);
    const said: string[] = [];
    const imported = importLines(lines(), 3, work, new Pace(1000, into.clock), (text) => void said.push(text));
    await expect(imported).rejects.toMatchObject({ outcome: 'unavailable' });
    expect(said).toEqual(['failed half-way: imported 1 tasks and 1 attachments. The same command may be repeated']);
  });

  it('drops what has expired', async () => {
    await source.task('t');
    await source.text('t', 'k', 'x', { ttlSeconds: 60 });
    expect(await importAll([await taskLine('t'), await attachmentLine('t', 'k')])).toEqual({ tasks: 1, expired: 1 });
  });

  it('attaches nothing to another task of the same id, and nothing to its sub-tasks', async () => {
    await source.task('t');
    await source.task('child', { parentId: 't' });
    await source.text('t', 'k', 'x');
    await source.text('child', 'k', 'x');
    await target.task('t');
    const lines = [
      await taskLine('t'),
      await taskLine('child'),
      await attachmentLine('t', 'k'),
      await attachmentLine('child', 'k'),
    ];
    expect(await importAll(lines)).toEqual({ refused: 4 });
    expect(refusals[0]).toEqual(['t', expect.stringContaining('was used before')]);
    expect((await target.list('t')).totalCount).toBe(0);
    // Nor to one that is deleted.
    await target.useCases.deleteTask.execute('t', CALLER);
    expect(await importAll(lines)).toEqual({ refused: 4 });
  });

  it('gives the tasks to another organisation, and takes the parent away, if it is told to', async () => {
    await source.task('parent');
    await source.task('t', { parentId: 'parent' });
    await source.text('t', 'k', 'x');
    const lines = [await taskLine('t'), await attachmentLine('t', 'k')];
    expect(await importAll(lines)).toEqual({ refused: 2 });
    expect(refusals[0]).toEqual(['t', expect.stringContaining('its parent is not there')]);
    const { organization } = FOREIGN_CALLER;
    expect(await importAll(lines, { organization, withoutParent: 't' })).toEqual({ tasks: 1, attachments: 1 });
    const { task } = await target.useCases.getTask.execute('t', FOREIGN_CALLER);
    expect([task.organization, task.parentId]).toEqual(['acme', null]);
  });

  describe('refuses a line by name, and goes on', () => {
    beforeEach(async () => {
      await source.task('t');
      await source.text('t', 'k', 'x');
      await importAll([await taskLine('t')]);
    });

    it('without a control character, which a terminal would obey', async () => {
      const line = await taskLine('t');
      await importAll([changed(line, { id: '\u009b31m' })]);
      expect(refusals[0]?.[0]).toContain('{"id":"?31m"');
    });

    it.each([
      [{ id: 'a b' }, /^id must/],
      [{ text: 5 }, /^text must be a string/],
      [{ status: 'done' }, /^status must be one of/],
      [{ priority: 101 }, /^priority must be/],
      [{ metadata: [] }, /^metadata must be an object/],
      [{ createdAt: '2026-01-01' }, /^createdAt must be a time/],
      [{ createdAt: '2026-02-30T00:00:00.000Z' }, /^createdAt must be a time/],
      [{ updatedAt: '2026-01-01T24:00:00.000Z' }, /^updatedAt must be a time/],
      [{ completedAt: '2026-01-01T00:00:00.000Z' }, /^completedAt contradicts the status pending/],
      [
        { status: 'in_progress', cancelledAt: '2026-01-01T00:00:00.000Z' },
        /^cancelledAt contradicts the status in_pro/,
      ],
      [
        { status: 'cancelled', completedAt: '2026-01-01T00:00:00.000Z' },
        /^completedAt contradicts .*; cancelledAt is req/,
      ],
      [{ status: 'completed' }, /^completedAt is required of a task that is completed/],
      [{ status: 'failed' }, /^completedAt is required/],
      [{ createdBy: '' }, /^createdBy must be/],
      [{ organization: undefined }, /^organization must be/],
      [{ parentId: '' }, /^parentId must/],
    ])('of a task: %p', async (members, reason) => {
      const line = await taskLine('t');
      expect(await importAll([changed(line, members), line])).toEqual({ present: 1, refused: 1 });
      expect(refusals).toEqual([[expect.any(String), expect.stringMatching(reason)]]);
    });

    it.each([
      [{ id: 'x' }, /^id must/],
      [{ key: '' }, /^key must/],
      [{ type: 'json' }, /^value is required/],
      [{ content: 'x'.repeat(MAX_BYTES + 1) }, /^content must be at most/],
      [{ version: 3 }, /^version must be even/],
      [{ version: 0 }, /^version must/],
      [{ version: 2 ** 53 }, /^version must/],
      [{ version: 2 ** 52 + 2 }, /^version must/],
      [{ updatedAt: null }, /^updatedAt must be a time/],
      [{ createdBy: 'a\nb' }, /^createdBy must be/],
      [{ size: 1.5 }, /^size must be/],
    ])('of an attachment: %p', async (members, reason) => {
      const [task, line] = [await taskLine('t'), await attachmentLine('t', 'k')];
      expect(await importAll([task, changed(line, members), line])).toEqual({ present: 1, attachments: 1, refused: 1 });
      expect(refusals).toEqual([[expect.any(String), expect.stringMatching(reason)]]);
    });
  });
});
