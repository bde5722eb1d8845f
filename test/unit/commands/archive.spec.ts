import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkArchive, readAgain, readLines } from '../../../src/commands/archive/archive-reader';
import { ArchiveWriter } from '../../../src/commands/archive/archive-writer';
import type { PatientService } from '../../../src/commands/archive/patient-service';
import { TaskExport } from '../../../src/commands/archive/task-export';
import { wholeList } from '../../../src/commands/archive/whole-list';
import { CommandError, UsageError } from '../../../src/commands/exit-code';
import { RemoteRefusal } from '../../../src/commands/remote/remote-service';

const attachment = (taskId: string, key: string, version = 2) =>
  `{"taskId":"${taskId}","key":${JSON.stringify(key)},"version":${version},"value":12345678901234567890}`;

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dossier-archive-'));
  path = join(folder, 'a.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

async function kindsIn(file: string): Promise<unknown[]> {
  const kinds: unknown[] = [];
  for await (const { kind } of readLines(file)) kinds.push(kind);
  return kinds;
}

describe('an archive', () => {
  const write = async () => {
    const writer = await ArchiveWriter.inFile(path, 't', false);
    await writer.addTask('t', '{"id":"t"}');
    await writer.addAttachment(attachment('t', 'a\u2028"ж'));
    return writer.finish();
  };

  it('is read as it was written, once its checksum is right', async () => {
    const end = await write();
    expect(end).toMatchObject({ tasks: 1, attachments: 1 });
    expect(await checkArchive(path)).toMatchObject({ root: 't', format: 1, lineCount: 2 });
    expect(await kindsIn(path)).toEqual(['dossier', 'task', 'attachment', 'end']);
    expect(existsSync(`${path}.part`)).toBe(false);
  });

  it.each([
    ['changed', (text: string) => text.replace('12345678901234567890', '12345678901234567891'), 'checksum is wrong'],
    ['without a line', (text: string) => text.split('\n').toSpliced(1, 1).join('\n'), 'checksum is wrong'],
    ['cut off', (text: string) => text.slice(0, -10), 'is cut off, in line 4'],
    ['cut off between two lines', (text: string) => `${text.split('\n').slice(0, 3).join('\n')}\n`, 'it has no end'],
    ['longer', (text: string) => `${text}{"task":{}}\n`, 'goes on behind its end'],
    ['of another format', (text: string) => text.replace('"format":1', '"format":2'), 'has the format 2'],
    ['of other counts', (text: string) => text.replace('"tasks":1', '"tasks":2'), 'holds 1 tasks and 1 attachments'],
    ['without counts', (text: string) => text.replace(/"tasks":1,.*,"sha/, '"sha'), 'holds 1 tasks and 1 attachments'],
    ['with two headers', (text: string) => text.replace(/^.*\n/, '$&$&'), 'has a second header, in line 2'],
    ['something else', () => 'hello\n', 'is no archive'],
    ['another JSON', () => '[1]\n', 'is no archive'],
    ['a list in place of a task', (text: string) => text.replace(/^{"task":.*$/m, '{"task":["id"]}'), 'is no archive'],
    ['empty', () => '', 'is cut off'],
  ])('that is %s is refused as a whole', async (_, change, message) => {
    await write();
    writeFileSync(path, change(readFileSync(path, 'utf8')));
    await expect(checkArchive(path)).rejects.toThrow(message);
  });

  it.each(['/dev/null', tmpdir()])('is a regular file, as it is read twice: %s is refused unread', async (other) => {
    const refused = checkArchive(other);
    await expect(refused).rejects.toBeInstanceOf(UsageError);
    await expect(refused).rejects.toThrow(`${other} is no regular file: an archive is read twice`);
  });

  it.each([
    ['emptied', () => ''],
    ['replaced', (text: string) => text.replace('12345678901234567890', '1')],
    ['cut off', (text: string) => text.slice(0, text.indexOf('{"attachment"'))],
    ['made longer', (text: string) => `${text}{"attachment":${attachment('t', 'b')}}\n`],
  ])('that is %s after it was checked is not read to its end without an error', async (_, change) => {
    await write();
    const archive = await checkArchive(path);
    const read = async () => {
      const kinds: unknown[] = [];
      for await (const { kind } of readAgain(path, archive)) kinds.push(kind);
      return kinds;
    };
    expect(await read()).toEqual(['dossier', 'task', 'attachment', 'end']);
    writeFileSync(path, change(readFileSync(path, 'utf8')));
    await expect(read()).rejects.toThrow('was changed since it was checked');
  });

  it('is never written over', async () => {
    await write();
    await expect(ArchiveWriter.inFile(path, 't', true)).rejects.toThrow('is there already');
  });

  it('that was interrupted is continued behind its last whole line, if that is asked for', async () => {
    const first = await ArchiveWriter.inFile(path, 't', false);
    await first.addTask('t', '{"id":"t"}');
    await first.addAttachment(attachment('t', 'a'));
    appendFileSync(`${path}.part`, '{"attachment":{"taskId":"t","key":"cut');
    await expect(ArchiveWriter.inFile(path, 't', false)).rejects.toThrow('--resume');
    await expect(ArchiveWriter.inFile(path, 'other', true)).rejects.toThrow('no archive of other');
    const second = await ArchiveWriter.inFile(path, 't', true);
    expect([
      second.hasAttachment({ taskId: 't', key: 'a' }, 2),
      second.hasAttachment({ taskId: 't', key: 'a' }, 4),
    ]).toEqual([true, false]);
    await second.addTask('t', '{"id":"t","text":"changed since"}');
    await second.addAttachment(attachment('t', 'a', 4));
    expect(await second.finish()).toMatchObject({ tasks: 1, attachments: 1 });
    expect(await checkArchive(path)).toMatchObject({ lineCount: 3 });
  });

  it('leaves nothing behind if the task is not there', async () => {
    const writer = await ArchiveWriter.inFile(path, 't', false);
    writer.giveUp();
    expect(existsSync(`${path}.part`)).toBe(false);
  });
});

describe('a list that changes while it is read', () => {
  const pageOf =
    (all: readonly string[], size: number, onPage: () => void = () => undefined) =>
    (offset: number) => {
      onPage();
      return Promise.resolve({ elements: all.slice(offset, offset + size), hasMore: all.length > offset + size });
    };
  const isSame = (a: string, b: string) => a === b;

  it.each([0, 1, 2, 3, 4, 5, 9])('is read as a whole, with %d elements', async (count) => {
    const all = Array.from({ length: count }, (_, i) => `${i}`);
    expect(await wholeList(pageOf(all, 3), isSame)).toEqual(all);
  });

  it('is read again if elements have moved up, so that none is passed over', async () => {
    const all = ['a', 'b', 'c', 'd', 'e'];
    let pages = 0;
    const page = pageOf(all, 2, () => {
      // As many as before: a count would not show it.
      if (++pages === 2) all.push(...all.splice(0).slice(1), 'f');
    });
    expect(await wholeList(page, isSame)).toEqual(['b', 'c', 'd', 'e', 'f']);
  });

  it('is given up if it never stands still', async () => {
    const all = Array.from({ length: 100 }, (_, i) => `${i}`);
    const read = wholeList(
      pageOf(all, 2, () => all.shift()),
      isSame,
    );
    await expect(read).rejects.toThrow('changes too fast');
  });
});

describe('an export', () => {
  const notFound = new RemoteRefusal(
    { code: -32602, message: 'Task t not found', data: { code: 'TASK_NOT_FOUND' } },
    0,
  );
  const exportOf = async (answers: Record<string, string | Error>) => {
    const call = (method: string): Promise<string> => {
      const answer = answers[method] ?? '';
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    };
    const writer = await ArchiveWriter.inFile(path, 't', false);
    await new TaskExport({ call } as unknown as PatientService, writer, () => undefined).run('t');
    return writer.counts;
  };
  const task = '{"id":"t"}';
  const noTasks = '{"tasks":[],"totalCount":0,"hasMore":false}';
  const outlines = '{"attachments":[{"key":"a","version":2,"bytes":20},{"key":"b","version":2}],"hasMore":false}';

  it('passes over what is deleted while it runs', async () => {
    const answers = {
      'task.get': task,
      'task.list': noTasks,
      'task.list_attachments': outlines,
      'task.get_attachments_batch': `{"attachments":[${attachment('t', 'a')},null]}`,
    };
    expect(await exportOf(answers)).toEqual({ tasks: 1, attachments: 1 });
  });

  it('fails if an answer is degraded: it would lack what is there', async () => {
    const degraded = outlines.replace('"hasMore"', '"degraded":true,"hasMore"');
    const answers = { 'task.get': task, 'task.list': noTasks, 'task.list_attachments': degraded };
    await expect(exportOf(answers)).rejects.toMatchObject({ exitCode: 4 });
  });

  it('fails if the task is not there', async () => {
    const failure = await exportOf({ 'task.get': notFound }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CommandError);
    expect(failure).toMatchObject({ message: 'there is no task t', exitCode: 3 });
  });
});
