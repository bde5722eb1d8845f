import { randomUUID } from 'node:crypto';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { startRedis, type RedisServer } from '../support/redis-server';
import { createRuntimeDatabase, type RuntimeDatabase } from '../support/runtime-database';
import { startService, type Service } from '../support/service';
import { untilCached, withPostgres, withRedis } from '../support/setups';

interface TaskEvent {
  readonly type: string;
  readonly payload: { readonly id: string };
}

let postgres: PostgresServer;
let redis: RedisServer;
let nats: NatsServer;
let service: Service;
let database: RuntimeDatabase;
let client: NatsConnection;
const events: TaskEvent[] = [];

beforeAll(async () => {
  [postgres, redis, nats] = await Promise.all([startPostgres(), startRedis(), startNats()]);
  database = await createRuntimeDatabase(postgres);
  service = await startService({ DATABASE_URL: database.url, REDIS_URL: redis.url, NATS_URL: nats.url });
  client = await connect({ servers: nats.url });
  for (const subject of ['task.cancelled', 'task.deleted']) {
    client.subscribe(subject, { callback: (_error, message) => void events.push(message.json<TaskEvent>()) });
  }
  await client.flush();
});

afterAll(async () => {
  await client?.close();
  await service?.kill();
  await Promise.all([nats?.stop(), postgres?.stop(), redis?.stop()]);
});

const remove = (id: string) => service.fetch(`/v1/tasks/${id}`, { method: 'DELETE' });

/** A task in progress with the canary in an attachment that is cached. */
async function runningTask(canary: string, parentId?: string): Promise<string> {
  const id = randomUUID();
  await service.result('task.create', { id, text: canary, parentId });
  await service.result('task.update', { id, updates: { status: 'in_progress' } });
  await service.result('task.create_attachment', { taskId: id, key: 'result', type: 'text', content: canary });
  await service.result('task.list_attachments', { taskId: id });
  return id;
}

function attachmentsInRedis(): Promise<string> {
  return withRedis(redis.url, async (connection) => {
    const names = await connection.keys('*:attachment:*');
    return JSON.stringify(await Promise.all(names.map((name) => connection.hgetall(name))));
  });
}

function tasksInPostgres(): Promise<string> {
  return withPostgres(database.adminUrl, async (connection) => {
    const tables = ['tasks', 'task_attachments'].map((table) => connection.query(`SELECT * FROM ${table}`));
    return JSON.stringify((await Promise.all(tables)).map(({ rows }) => rows as unknown[]));
  });
}

describe('DELETE /v1/tasks/{task_id}', () => {
  it('cancels the running task and its running sub-tasks, then announces the deletion of each', async () => {
    const ids = [await runningTask('parent')];
    ids.push(await runningTask('child', ids[0]), await runningTask('grandchild', ids[0]));
    expect((await remove(ids[0] as string)).status).toBe(204);
    const typesOf = (id: string) => events.filter(({ payload }) => payload.id === id).map(({ type }) => type);
    for (const id of ids) {
      await until('the deletion is announced', () => typesOf(id).includes('task.deleted'));
      expect(typesOf(id)).toEqual(['task.cancelled', 'task.deleted']);
    }
  });

  it('leaves nothing of the stored data in either store', async () => {
    const canary = `canary-${randomUUID()}`;
    const id = await runningTask(canary);
    await runningTask(canary, id);
    expect(await tasksInPostgres()).toContain(canary);
    expect(await attachmentsInRedis()).toContain(canary);
    expect((await remove(id)).status).toBe(204);
    expect(await tasksInPostgres()).not.toContain(canary);
    expect(await attachmentsInRedis()).not.toContain(canary);
  });

  it('ignores the body and its content type', async () => {
    const id = await runningTask('x');
    const headers = { 'content-type': 'application/json' };
    expect((await service.fetch(`/v1/tasks/${id}`, { method: 'DELETE', headers })).status).toBe(204);
    const other = await runningTask('x');
    const init = { method: 'DELETE', headers: { 'content-type': 'text/csv' }, body: 'a,b' };
    expect((await service.fetch(`/v1/tasks/${other}`, init)).status).toBe(204);
  });

  it('responds with 503 and Retry-After while PostgreSQL is unavailable, and deletes nothing', async () => {
    const id = await runningTask('x');
    await untilCached(service, redis.url, id);
    await postgres.kill();
    const { status, headers, text } = await remove(id);
    expect([status, JSON.parse(text)]).toEqual([503, { detail: 'Service unavailable' }]);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    const attachment = await service.result('task.get_attachment', { taskId: id, key: 'result' });
    expect(attachment).toMatchObject({ content: 'x' });
  });
});
