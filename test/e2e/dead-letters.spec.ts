import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { attachmentCreated, attachmentDeleted } from '../../src/core/domain/domain-event';
import type { JournaledWrite } from '../../src/core/ports/attachment-journal';
import { toText } from '../../src/outbound/redis/journal-entry';
import { sampleAttachment } from '../support/sample-attachment';
import { runProgram } from '../support/service';
import { openOnServers, type Setup } from '../support/setups';
import type { WireAttachment } from '../support/wire-values';

const LIST = 'cb:dead-letters';
const OLD_MS = Date.UTC(2025, 5, 1);

describe('the commands for the journal', () => {
  let setup: Setup;
  let client: Redis;
  beforeAll(async () => {
    setup = await openOnServers();
    client = new Redis(setup.environment['REDIS_URL'] as string);
    await setup.service.result('task.create', { id: 't', text: 'x' });
  });
  afterAll(async () => {
    client?.disconnect();
    await setup?.close();
  });
  beforeEach(() => client.del(LIST));

  const dossier = (...args: string[]) => runProgram('dist/commands/dossier.js', args, setup.environment);
  const write = (key: string, version = 2, content = 'a secret') => {
    const attachment = sampleAttachment({ taskId: 't', key, version, content, createdBy: 'ada' });
    return { organization: 'default', put: { attachment, event: attachmentCreated(attachment, 'replica-1') } };
  };
  const bury = async (one: JournaledWrite, op: string) => {
    await client.rpush(LIST, `22P05 ${op} - ${toText(one)}`);
    return op;
  };
  const buryPut = (key: string, version?: number, content?: string) => {
    const one = write(key, version, content);
    return bury(one, one.put.attachment.op);
  };
  const buryDeletion = (key: string, version: number) => {
    const stamp = { version, op: randomUUID() };
    const event = attachmentDeleted({ taskId: 't', key }, stamp, 'bob', OLD_MS);
    return bury({ organization: 'default', deletion: { taskId: 't', key, stamp, event } }, stamp.op);
  };
  const get = (key: string) => setup.service.result<WireAttachment>('task.get_attachment', { taskId: 't', key });
  const lines = (text: string) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as object);

  it('list what was refused, without its value unless that is asked for', async () => {
    const [put, deletion] = [await buryPut('k'), await buryDeletion('gone', 4)];
    await client.rpush(LIST, 'unreadable what is this');
    const listed = await dossier('dead-letters', 'list');
    expect(listed).toMatchObject({ code: 0, stderr: '' });
    expect(listed.stdout).not.toContain('a secret');
    const about = { organization: 'default', taskId: 't', reason: '22P05' };
    expect(lines(listed.stdout)).toEqual([
      expect.objectContaining({ ...about, op: put, key: 'k', version: 2, write: 'put', by: 'ada', type: 'text' }),
      { ...about, op: deletion, key: 'gone', version: 4, write: 'deletion', by: 'bob', at: '2025-06-01T00:00:00.000Z' },
      { reason: 'unreadable' },
    ]);
    const whole = await dossier('dead-letters', 'list', '--with-values');
    expect(lines(whole.stdout)[0]).toMatchObject({ content: 'a secret' });
  });

  it('write what was refused as a new version, in the name of its author, and remove it', async () => {
    const op = await buryPut('again');
    const { code, stdout } = await dossier('dead-letters', 'replay', op);
    const stored = await get('again');
    expect([code, stdout]).toEqual([0, `${op}: written as version ${stored.version}\n`]);
    expect(stored).toMatchObject({ content: 'a secret', createdBy: 'ada' });
    expect(await client.llen(LIST)).toBe(0);
  });

  it('write nothing over what is newer, and keep it', async () => {
    const put = { taskId: 't', key: 'newer', type: 'text', content: 'newer' };
    const { version } = await setup.service.result<WireAttachment>('task.create_attachment', put);
    const op = await buryPut('newer');
    const { code, stdout, stderr } = await dossier('dead-letters', 'replay', '--all');
    expect([code, stdout, stderr]).toEqual([1, '', `${op}: not written: version ${version} is newer\n`]);
    expect((await get('newer')).content).toBe('newer');
    expect(await client.llen(LIST)).toBe(1);
  });

  it('write the newest of several under one key, in whatever order they were refused', async () => {
    const stays = (op: string, why: string) => `${op}: not written: ${why} is newer\n`;
    const underThisKey = (op: string) => `the dead letter ${op} under this key`;
    const older = await buryPut('several', 2);
    const newest = await buryPut('several', 5, 'the newest');
    const another = write('several', 6);
    const ofAnother = await bury({ ...another, organization: 'another' }, another.put.attachment.op);
    const alone = await dossier('dead-letters', 'replay', older);
    expect([alone.code, alone.stdout, alone.stderr]).toEqual([1, '', stays(older, underThisKey(newest))]);

    const between = await buryPut('several', 3);
    const { code, stdout, stderr } = await dossier('dead-letters', 'replay', '--all');
    const { content, version } = await get('several');
    expect(content).toBe('the newest');
    expect([code, stdout]).toEqual([1, `${newest}: written as version ${version}\n`]);
    const unknown = `${ofAnother}: task-not-found\n`;
    expect(stderr).toBe(unknown + stays(between, `version ${version}`) + stays(older, underThisKey(between)));
    expect(await client.llen(LIST)).toBe(3);
  });

  it('drop the ones that are named, or all', async () => {
    const [first, second] = [await buryPut('a'), await buryPut('b')];
    await client.rpush(LIST, 'unreadable what is this');
    const unknown = randomUUID();
    const one = await dossier('dead-letters', 'drop', '--yes', first, unknown);
    const [missing = '', deed = '', ...more] = one.stderr.split('\n');
    expect([one.code, one.stdout, missing, more]).toEqual([
      1,
      `${first}: dropped\n`,
      `${unknown}: no such dead letter`,
      [''],
    ]);
    const what = `removes 1 acknowledged write that PostgreSQL refused, for good: ${first}`;
    expect(JSON.parse(deed)).toMatchObject({
      context: 'operator',
      msg: `${userInfo().username}: dead-letters drop: ${what}`,
    });
    const rest = await dossier('dead-letters', 'drop', '--all', '--yes');
    expect([rest.code, rest.stdout]).toEqual([0, `${second}: dropped\nunreadable: dropped\n`]);
    expect(lines(rest.stderr)).toHaveLength(1);
    expect(await client.llen(LIST)).toBe(0);
  });

  it('drop nothing without an agreement, and say what would be dropped', async () => {
    const op = await buryPut('k');
    const what = `removes 1 acknowledged write that PostgreSQL refused, for good: ${op}`;
    expect(await dossier('dead-letters', 'drop', op)).toEqual({
      code: 1,
      stdout: '',
      stderr: `dead-letters drop: ${what}. Nothing was done: add --yes, as there is no terminal to ask at\n`,
    });
    expect(await dossier('dead-letters', 'drop', op, '--dry-run')).toEqual({
      code: 0,
      stdout: `dry run: ${what}\n`,
      stderr: '',
    });
    expect(await client.llen(LIST)).toBe(1);
  });

  it('say how many writes wait', async () => {
    await buryPut('k');
    expect(await dossier('journal', 'status')).toEqual({
      code: 0,
      stdout: 'waiting: 0\ndead letters: 1\n',
      stderr: '',
    });
  });

  it('refuse what they do not know, and change nothing', async () => {
    await buryPut('k');
    const wrong = [['list', '--values'], ['drop'], ['drop', '--al'], ['drop', '--all', 'x'], ['replay']];
    for (const args of wrong) {
      const { code, stdout, stderr } = await dossier('dead-letters', ...args);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toContain(`usage: dossier dead-letters ${args[0]}`);
    }
    expect((await dossier('journal', 'status', 'now')).code).toBe(1);
    expect(await client.llen(LIST)).toBe(1);
  });

  it('fail with one line if there is no Redis, or it cannot be reached', async () => {
    const run = (url: string) =>
      runProgram('dist/commands/dossier.js', ['journal', 'status'], { ...setup.environment, REDIS_URL: url });
    expect(await run('')).toMatchObject({
      code: 1,
      stderr: 'journal status: REDIS_URL is not set: without Redis there is no journal\n',
    });
    expect(await run('redis://127.0.0.1:1')).toMatchObject({
      code: 4,
      stderr: 'journal status: connect ECONNREFUSED 127.0.0.1:1\n',
    });
  });
});
