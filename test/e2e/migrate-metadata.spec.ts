import { runProgram } from '../support/service';
import { openOnServers, type Setup } from '../support/setups';
import type { WireAttachment } from '../support/wire-values';

describe('npm run migrate:metadata', () => {
  let setup: Setup;
  beforeAll(async () => {
    setup = await openOnServers();
  });
  afterAll(() => setup?.close());

  const migrate = () => runProgram('dist/commands/dossier.js', ['migrate-metadata'], setup.environment);
  const keysOf = async (taskId: string) => {
    const { attachments } = await setup.service.result<{ attachments: WireAttachment[] }>('task.list_attachments', {
      taskId,
    });
    return attachments.map(({ key }) => key);
  };
  const store = async (id: string, metadata: unknown) => {
    await setup.service.result('task.create', { id, text: 'x' });
    await setup.service.result('task.update', { id, updates: { metadata } });
    // Now the cache knows that the task has no attachment.
    expect(await keysOf(id)).toEqual([]);
  };

  it('turns the data in the metadata of tasks into attachments, which the service returns at once', async () => {
    await store('old', { kept: '\0', data: { a: { deep: [1] }, b: null } });

    expect(await migrate()).toEqual({ code: 0, stdout: 'converted tasks: 1\n', stderr: '' });
    expect(await keysOf('old')).toEqual(['a', 'b']);
    const attachment = await setup.service.result<WireAttachment>('task.get_attachment', { taskId: 'old', key: 'a' });
    expect(attachment.value).toEqual({ deep: [1] });
    const { metadata } = await setup.service.result<{ metadata: unknown }>('task.get', { id: 'old' });
    expect(metadata).toEqual({ kept: '\0' });

    expect(await migrate()).toEqual({ code: 0, stdout: 'converted tasks: 0\n', stderr: '' });
  });

  it('fails with the names of the entries that cannot be converted', async () => {
    await store('partly', { data: { 'bad\nkey': 1, good: 2 } });
    const { code, stdout, stderr } = await migrate();
    expect([code, stdout]).toEqual([1, 'converted tasks: 0\n']);
    expect(JSON.parse(stderr)).toMatchObject({ taskId: 'partly', errors: [{ field: 'metadata.data.bad\nkey' }] });
    expect(await keysOf('partly')).toEqual(['good']);
  });

  it('does nothing while the cache is unavailable', async () => {
    await store('waiting', { data: { a: 1 } });
    const { code, stdout, stderr } = await runProgram('dist/commands/dossier.js', ['migrate-metadata'], {
      ...setup.environment,
      REDIS_URL: 'redis://127.0.0.1:1',
    });
    expect([code, stdout, stderr]).toEqual([4, '', 'migrate-metadata: connect ECONNREFUSED 127.0.0.1:1\n']);
    expect(await keysOf('waiting')).toEqual([]);
  });
});
