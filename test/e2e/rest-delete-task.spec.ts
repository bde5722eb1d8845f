import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../support/service';
import { SETUPS, type Setup } from '../support/setups';

const UUID = '3b241101-e2bb-4255-8caf-4136c566a962';

/** A key from the command for new keys, and its entry for the key file. */
async function makeKey(...options: string[]): Promise<{ key: string; entry: string }> {
  const { stdout } = await runProgram('dist/commands/dossier.js', ['keys', 'create', ...options], {});
  const [, key, entry] = /^key, shown only now: (\S+)\nentry: (.*)\n$/.exec(stdout) ?? [];
  return { key: key as string, entry: entry as string };
}

describe.each(SETUPS)('DELETE /v1/tasks/{task_id} as documented, $name', ({ open }) => {
  const callers = { owner: {}, writer: {}, stranger: {} };
  let folder: string;
  let setup: Setup;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dossier-keys-'));
    const keys = await Promise.all([
      makeKey('--name', 'owner', '--role', 'admin'),
      makeKey('--name', 'writer', '--role', 'write'),
      makeKey('--name', 'stranger', '--role', 'admin', '--organization', 'elsewhere'),
    ]);
    const path = join(folder, 'keys.json');
    writeFileSync(path, `[${keys.map(({ entry }) => entry).join(',')}]`);
    const [owner, writer, stranger] = keys.map(({ key }) => ({ 'x-api-key': key }));
    Object.assign(callers, { owner, writer, stranger });
    setup = await open({ API_KEYS_FILE: path });
  });
  afterAll(async () => {
    await setup?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const create = async (params: object) => {
    const task = { text: 'a task', ...params };
    return (await setup.service.result<{ id: string }>('task.create', task, callers.owner)).id;
  };
  const remove = async (taskId: string, headers: Record<string, string> = callers.owner) => {
    const { status, text } = await setup.service.fetch(`/v1/tasks/${taskId}`, { method: 'DELETE', headers });
    return { status, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
  };
  const isThere = async (id: string) => {
    const { error } = await setup.service.rpc('task.get', { id }, callers.owner);
    return error === undefined;
  };

  it('responds with 204 and no body, and deletes the task, its sub-tasks and their attachments', async () => {
    await create({ id: UUID });
    const child = await create({ parentId: UUID });
    const attachment = { taskId: child, key: 'k', type: 'text', content: 'x' };
    await setup.service.result('task.create_attachment', attachment, callers.owner);
    await setup.service.result('task.get_attachment', { taskId: child, key: 'k' }, callers.owner);

    expect(await remove(UUID)).toEqual({ status: 204, body: undefined });
    expect(await isThere(UUID)).toBe(false);
    const error = await setup.service.error('task.get_attachment', { taskId: child, key: 'k' }, callers.owner);
    expect(error.message).toBe(`Task ${child} not found`);
    expect(await remove(UUID)).toEqual({ status: 404, body: { detail: 'Task not found' } });
  });

  it('responds with 404 for a task that never existed', async () => {
    expect(await remove('never')).toEqual({ status: 404, body: { detail: 'Task not found' } });
  });

  it.each([
    ['without a key', {}],
    ['with a wrong key', { 'x-api-key': 'dossier_wrong' }],
  ])('responds with 401 %s', async (_, headers) => {
    const id = await create({});
    expect(await remove(id, headers)).toEqual({ status: 401, body: { detail: 'Invalid or missing API key' } });
    expect(await isThere(id)).toBe(true);
  });

  it('responds with 403 for a task of another organisation, which stays hidden over JSON-RPC', async () => {
    const id = await create({});
    expect(await remove(id, callers.stranger)).toEqual({
      status: 403,
      body: { detail: 'Forbidden: task belongs to a different organization' },
    });
    for (const [method, params] of [
      ['task.get', { id }],
      ['task.delete', { id }],
      ['task.list_attachments', { taskId: id }],
    ] as const) {
      expect(await setup.service.error(method, params, callers.stranger)).toEqual({
        code: -32602,
        message: `Task ${id} not found`,
        data: { code: 'TASK_NOT_FOUND', taskId: id },
      });
    }
    expect(await isThere(id)).toBe(true);
  });

  it('responds with 403 for a role that may not delete tasks', async () => {
    const id = await create({});
    expect(await remove(id, callers.writer)).toEqual({
      status: 403,
      body: { detail: expect.stringMatching(/^Forbidden: /) as unknown },
    });
    expect(await isThere(id)).toBe(true);
  });

  it.each(['a%20b', 'a%3Ab', '%ZZ', 'a/b', 'x'.repeat(129)])(
    'responds with 422 for the malformed id %s',
    async (id) => {
      expect(await remove(id)).toEqual({
        status: 422,
        body: {
          detail: [
            { loc: ['path', 'task_id'], msg: expect.any(String) as unknown, type: expect.any(String) as unknown },
          ],
        },
      });
    },
  );
});
