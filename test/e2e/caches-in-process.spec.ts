import { DossierClient, type RpcError } from '../../client/src/dossier-client';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { startService, type Service } from '../support/service';

const TASK_ID = 't';

const clientOf = ({ url }: Service) => new DossierClient({ url, timeoutMs: 30_000 });
const put = (service: Service, key: string, value: unknown) =>
  clientOf(service).call('task.create_attachment', { taskId: TASK_ID, key, type: 'json', value });
const valueOf = async (service: Service, key: string) =>
  (await clientOf(service).call('task.get_attachment', { taskId: TASK_ID, key })).value;
const keysOf = async (service: Service) => {
  const page = await clientOf(service).call('task.list_attachments', { taskId: TASK_ID });
  return page.attachments.map(({ key }) => key);
};
const refusal = (call: Promise<unknown>): Promise<RpcError | undefined> =>
  call.then(
    () => undefined,
    (error: RpcError) => error,
  );
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
    await clientOf(writer).call('task.create', { id: TASK_ID, text: 'x' });
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
    await clientOf(writer).call('task.delete_attachment', ref);
    const error = await until('the other replica answers so', () =>
      refusal(clientOf(reader).call('task.get_attachment', ref)),
    );
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
    const [client, ref] = [clientOf(reader), { taskId: TASK_ID, key: 'overwritten' }];
    await clientOf(writer).call('task.delete', { id: TASK_ID });
    const messageOf = async (call: () => Promise<unknown>) =>
      (await until('the other replica answers so', () => refusal(call()))).message;
    const missing = `Task ${TASK_ID} not found`;
    expect(await messageOf(() => client.call('task.list_attachments', { taskId: TASK_ID }))).toBe(missing);
    expect(await messageOf(() => client.call('task.get_attachment', ref))).toBe(missing);
  });
});
