import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../support/poll';
import { runProgram, type Environment, type Exit } from '../support/service';
import { openOnServers, untilCached, type Servers, type Setup } from '../support/setups';
import { spawnMortal } from '../support/spawn-mortal';
import { ISO_TIME, VERSION, type WireAttachmentPage } from '../support/wire-values';

const PROGRAM = 'dist/commands/dossier.js';
const ROOT = join(__dirname, '../..');

let folder: string;
let keysFile: string;
let setup: Setup;
/** Of a caller of the service. */
let caller: Environment;

const dossier = (args: readonly string[], env: Environment = caller): Promise<Exit> => runProgram(PROGRAM, args, env);
const createKey = async (name: string): Promise<string> => {
  const { code, stdout } = await dossier(
    ['keys', 'create', '--name', name, '--role', 'admin', '--append', keysFile, '--json'],
    {},
  );
  expect(code).toBe(0);
  return (JSON.parse(stdout) as { key: string }).key;
};
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dossier-command-'));
  keysFile = join(folder, 'keys.json');
  const key = await createKey('first');
  setup = await openOnServers({ API_KEYS_FILE: keysFile });
  caller = { DOSSIER_URL: setup.service.url, DOSSIER_API_KEY: key };
  await setup.service.result('task.create', { id: 't', text: 'Ж "x"', metadata: { a: 1 } }, headers());
  await setup.service.result('task.create', { id: 'child', text: 'x', parentId: 't' }, headers());
  const put = { taskId: 'child', key: 'notes', type: 'text', content: 'notes', ttlSeconds: 86_400 };
  await setup.service.result('task.create_attachment', put, headers());
});
afterAll(async () => {
  await setup?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('dossier keys create --append', () => {
  it('makes a key that a running service accepts', async () => {
    const key = await createKey('second');
    const isAccepted = async () => {
      const { error } = await setup.service.rpc('task.list', {}, { 'x-api-key': key });
      return error === undefined;
    };
    expect(await until('the key is accepted', isAccepted)).toBe(true);
  });

  it('adds no key that could not be printed', async () => {
    const before = readFileSync(keysFile, 'utf8');
    const { code, stderr } = await runWithout('output', ['keys', 'create', '--name', 'unseen', '--append', keysFile]);
    const line = /^keys create: the key cannot be printed, so it was not made: EBADF.*\n$/;
    expect([code, stderr]).toEqual([1, expect.stringMatching(line)]);
    expect(readFileSync(keysFile, 'utf8')).toBe(before);
  });
});

describe('dossier call', () => {
  it('prints the result with its numbers as they are spelt, for people and for programs', async () => {
    const value = '{"n":12345678901234567890,"a":[1.0]}';
    const put = ['call', 'task.create_attachment', 'taskId=t', 'key=big', 'type=json', `value=${value}`, '--json'];
    const written = await dossier(put);
    expect(written).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(written.stdout)).toMatchObject({ key: 'big', createdAt: ISO_TIME, version: VERSION });
    const found = await dossier(['call', 'task.get_attachment', 'taskId=t', 'key=big']);
    expect(found).toMatchObject({ code: 0, stderr: '' });
    expect(found.stdout).toContain('"value": {\n    "n": 12345678901234567890,\n    "a": [\n      1.0\n    ]\n  },\n');
  });

  it('names each wrong parameter as the service does, and ends with 3', async () => {
    const words = ['call', 'task.list', 'limit=abc', 'limmit=5'];
    const { error } = await setup.service.rpc('task.list', { limit: 'abc', limmit: '5' }, headers());
    const errors = error?.data?.['errors'] as { field: string; message: string }[];
    const lines = errors.map(({ field, message }) => `\n  ${field}: ${message}`).join('');
    expect(await dossier(words)).toEqual({
      code: 3,
      stdout: '',
      stderr: `call: Invalid params (INVALID_PARAMS)${lines}\n`,
    });
    const { code, stdout, stderr } = await dossier([...words, '--json']);
    expect([code, stdout, JSON.parse(stderr)]).toEqual([3, '', error]);
  });

  it.each([
    ['with a wrong credential', 3, { DOSSIER_API_KEY: 'wrong' }, /^call: Unauthorized \(UNAUTHORIZED\)\n$/],
    ['if nothing listens', 4, { DOSSIER_URL: 'http://127.0.0.1:9' }, /^call: http:\/\/127\.0\.0\.1:9\/rpc: .+\n$/],
  ])('fails %s', async (_, code, env, line) => {
    const failed = await dossier(['call', 'task.list'], { ...caller, ...env });
    expect([failed.code, failed.stdout, failed.stderr]).toEqual([code, '', expect.stringMatching(line)]);
  });

  it('says where the credential goes if it has none', async () => {
    expect(await dossier(['call', 'task.list'], { DOSSIER_URL: setup.service.url })).toEqual({
      code: 3,
      stdout: '',
      stderr: 'call: Unauthorized (UNAUTHORIZED): the credential goes into DOSSIER_API_KEY or DOSSIER_TOKEN\n',
    });
  });
});

it('says that the output cannot be written, unless its reader has had enough', async () => {
  const line = expect.stringMatching(/^dossier: the output cannot be written: EBADF.*\n$/) as string;
  expect(await runWithout('output', ['completion', 'bash'])).toEqual({ code: 1, stderr: line });
  expect((await runWithout('reader', ['completion', 'bash'])).stderr).toBe('');
});

describe('dossier events', () => {
  it('prints the events of a task, and ends after as many as it is told', async () => {
    let exit: Exit | undefined;
    const follow = ['events', '--task', 't', '--limit', '2'];
    const ended = dossier(follow).then((one) => (exit = one));
    // What happens before it follows is not among its events.
    for (let i = 0; !exit; i++) {
      await setup.service.result('task.update', { id: 't', updates: { priority: i % 100 } }, headers());
    }
    const { code, stdout, stderr } = await ended;
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^(\S+Z {2}task\.updated {2}t {2}pending {2}Ж "x"\n){2}$/);
  });

  it('fails with what the service says', async () => {
    const { code, stderr } = await dossier(['events', '--since', 'x']);
    expect([code, stderr]).toEqual([3, expect.stringMatching(/^events: .*status 400 .*lastEventId/)]);
    const nowhere = await dossier(['events', '--url', 'http://127.0.0.1:9']);
    expect([nowhere.code, nowhere.stdout]).toEqual([4, '']);
  });
});

describe('dossier export and import', () => {
  const AT = '2025-02-03T04:05:06.789Z';
  const ARCHIVED = { id: 'ta-1738555506789-abcdefghi', createdBy: 'ada', createdAt: AT, updatedAt: AT };
  /** An archive with one more attachment, and the right end. */
  const withAttachment = (archive: string, attachment: object) => {
    const at = archive.lastIndexOf('{"end"');
    const { end } = JSON.parse(archive.slice(at)) as { end: { tasks: number; attachments: number } };
    const lines = `${archive.slice(0, at)}{"attachment":${JSON.stringify(attachment)}}\n`;
    const sha256 = createHash('sha256').update(lines).digest('hex');
    return `${lines}{"end":${JSON.stringify({ ...end, attachments: end.attachments + 1, sha256 })}}\n`;
  };
  const linesOf = (path: string) => readFileSync(path, 'utf8').trimEnd().split('\n').slice(1, -1).sort();

  it('move a task into the database of another service, as it was', async () => {
    const [first, second] = [join(folder, 'first'), join(folder, 'second')];
    const env = { DATABASE_URL: await (setup.servers as Servers).postgres.createDatabase() };
    expect(await dossier(['export', 't', '--output', first])).toMatchObject({
      code: 0,
      stdout: 'exported 2 tasks and 2 attachments\n',
    });
    const imported = await dossier(['import', first, '--json'], env);
    expect(imported).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(imported.stdout)).toMatchObject({ tasks: 2, attachments: 2, refused: 0 });

    const server = serve({ ...env, API_KEYS_FILE: keysFile });
    try {
      const url = await server.url;
      expect((await dossier(['export', 't', '--output', second, '--url', url])).code).toBe(0);
    } finally {
      expect(await server.stop()).toBe(0);
    }
    expect(linesOf(second)).toEqual(linesOf(first));
  });

  it('restore on running servers what is missing, and leave alone what is newer or was deleted', async () => {
    const path = join(folder, 'again');
    const archive = await dossier(['export', 't']);
    expect(archive).toMatchObject({ code: 0, stderr: 'exported 2 tasks and 2 attachments\n' });
    const lost = { ...ARCHIVED, taskId: 't', key: 'lost', type: 'text', content: 'found', version: 2 };
    writeFileSync(path, withAttachment(archive.stdout, lost));
    await setup.service.result('task.delete_attachment', { taskId: 'child', key: 'notes' }, headers());
    const newer = { taskId: 't', key: 'big', type: 'text', content: 'newer' };
    await setup.service.result('task.create_attachment', newer, headers());
    // Now the cache knows the whole list.
    await untilCached(setup.service, (setup.servers as Servers).redis.url, 't', headers());
    const { DATABASE_URL, REDIS_URL } = setup.environment;
    const servers = { DATABASE_URL, REDIS_URL } as Environment;
    expect(await dossier(['import', path], servers)).toEqual({
      code: 0,
      stdout: 'imported 0 tasks and 1 attachments, there already: 2, newer there: 2\n',
      stderr: '',
    });
    const page = await setup.service.result<WireAttachmentPage>('task.list_attachments', { taskId: 't' }, headers());
    expect(page.attachments.map(({ key, version, content }) => [key, version, content])).toEqual([
      ['lost', 2, 'found'],
      ['big', VERSION, 'newer'],
    ]);
    const other = ['import', path, '--organization', 'another'];
    const { code, stdout, stderr } = await dossier(other, servers);
    expect([code, stdout]).toEqual([3, 'imported 0 tasks and 0 attachments, refused: 5\n']);
    expect(stderr).toMatch(/^t: the id was used before/);
  });

  it('refuse a missing task, a file that is in the way, and an archive that was changed', async () => {
    const path = join(folder, 'changed');
    expect(await dossier(['export', 'none', '--output', path])).toEqual({
      code: 3,
      stdout: '',
      stderr: 'export: there is no task none\n',
    });
    writeFileSync(path, '{"dossier":{"format":1}}\n{"end":{"sha256":"x"}}\n');
    expect((await dossier(['export', 't', '--output', path])).stderr).toBe(`export: ${path} is there already\n`);
    const { code, stderr } = await dossier(['import', path], { DATA_DIR: join(folder, 'never') });
    expect([code, stderr]).toEqual([1, `import: ${path} was changed: its checksum is wrong\n`]);
  });
});

function headers(): Environment {
  return { 'x-api-key': caller['DOSSIER_API_KEY'] as string };
}

/** Runs the command with a standard output that cannot be written, or that nobody reads. */
async function runWithout(missing: 'output' | 'reader', args: readonly string[]) {
  const unwritable = openSync(__filename, 'r');
  try {
    const child = spawnMortal(process.execPath, [PROGRAM, ...args], {
      cwd: ROOT,
      stdio: ['ignore', missing === 'output' ? unwritable : 'pipe', 'pipe'],
    });
    child.stdout?.destroy();
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [code] = (await once(child, 'close')) as [number];
    return { code, stderr };
  } finally {
    closeSync(unwritable);
  }
}

/** `dossier serve` as a process. */
function serve(env: Environment): { readonly url: Promise<string>; stop(): Promise<number | null> } {
  const child = spawnMortal(process.execPath, [join(ROOT, PROGRAM), 'serve'], {
    env: { PATH: process.env['PATH'] ?? '', PORT: '0', LOG_FORMAT: 'json', MAX_EVENT_LOOP_DELAY_MS: '60000', ...env },
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let log = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (log += text));
  const exit = once(child, 'close');
  return {
    url: until('it listens', () => /"listening on (http:\/\/[^"]+)"/.exec(log)?.[1], 60_000),
    async stop() {
      child.kill('SIGTERM');
      return (await exit)[0] as number | null;
    },
  };
}
