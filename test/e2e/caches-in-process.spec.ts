import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { startService, type RpcError, type Service } from '../support/service';
import type { WireAttachment, WireAttachmentPage } from '../support/wire-values';

const TASK_ID = 't';

const put = (service: Service, key: string, value: unknown) =>
  service.result('task.create_attachment', { taskId: TASK_ID, key, type: 'json', value });
const valueOf = async (service: Service, key: string) =>
  (await service.result<WireAttachment>('task.get_attachment', { taskId: TASK_ID, key })).value;
const keysOf = async (service: Service) => {
  const page = await service.result<WireAttachmentPage>('task.list_attachments', { taskId: TASK_ID });
  return page.attachments.map(({ key }) => key);
};
const refusal = async (service: Service, method: string, params: object): Promise<RpcError | undefined> =>
  (await service.rpc(method, params)).error;
const cacheHits = async (service: Service) => {
  const { text } = await service.fetch('/metrics');
  return Number(/^dossier_cache_hits_total (\d+)$/m.exec(text)?.[1]);
};

describe('a replica with its own cache on a shared PostgreSQL', () => {
  let postgres: PostgresServer;
  let writer: Service;
  let reader: Service;

  beforeAll(async () => {
    postgres = await startPostgres();
    const environment = { DATABASE_URL: await postgres.createDatabase() };
    [writer, reader] = await Promise.all([
      startService({ ...environment, INSTANCE_ID: 'instance-1' }),
      startService({ ...environment, INSTANCE_ID: 'instance-2' }),
    ]);
    await writer.result('task.create', { id: TASK_ID, text: 'x' });
    for (const key of ['deleted', 'overwritten']) await put(writer, key, 'before');
  });
  afterAll(async () => {
    await Promise.all([writer?.kill(), reader?.kill()]);
    await postgres?.stop();
  });

  /** Repeats the call until the cache answers it. */
  const cached = <T>(ask: () => Promise<T>): Promise<T> =>
    until('the answer comes from the cache', async () => {
      const before = await cacheHits(reader);
      const answer = await ask();
      return (await cacheHits(reader)) > before ? answer : undefined;
    });

  it('serves replies from its cache while nothing changes', async () => {
    expect(await cached(() => valueOf(reader, 'overwritten'))).toBe('before');
    expect(await cached(() => valueOf(reader, 'deleted'))).toBe('before');
    expect(await cached(() => keysOf(reader))).toEqual(['deleted', 'overwritten']);
  });

  it('sees an overwrite by another replica', async () => {
    await cached(() => valueOf(reader, 'overwritten'));
    await put(writer, 'overwritten', 'after');
    await until('the other replica answers so', async () => (await valueOf(reader, 'overwritten')) === 'after');
    expect(await cached(() => valueOf(reader, 'overwritten'))).toBe('after');
  });

  it('sees the deletion of an attachment by another replica', async () => {
    await cached(() => valueOf(reader, 'deleted'));
    await cached(() => keysOf(reader));
    const ref = { taskId: TASK_ID, key: 'deleted' };
    await writer.result('task.delete_attachment', ref);
    const error = await until('the other replica answers so', () => refusal(reader, 'task.get_attachment', ref));
    expect(error.code).toBe(-32602);
    expect(await cached(() => keysOf(reader))).toEqual(['overwritten']);
  });

  it('sees the creation of an attachment by another replica', async () => {
    await cached(() => keysOf(reader));
    await put(writer, 'created', 1);
    await until('the other replica lists it', async () => (await keysOf(reader)).includes('created'));
    expect(await cached(() => keysOf(reader))).toEqual(['overwritten', 'created']);
  });

  it('sees the deletion of the task by another replica', async () => {
    await cached(() => valueOf(reader, 'overwritten'));
    await cached(() => keysOf(reader));
    await writer.result('task.delete', { id: TASK_ID });
    const answers = async (method: string, params: object) =>
      (await until('the other replica answers so', () => refusal(reader, method, params))).message;
    expect(await answers('task.list_attachments', { taskId: TASK_ID })).toBe(`Task ${TASK_ID} not found`);
    const ref = { taskId: TASK_ID, key: 'overwritten' };
    expect(await answers('task.get_attachment', ref)).toBe(`Task ${TASK_ID} not found`);
  });
});
