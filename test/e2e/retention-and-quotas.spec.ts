import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventReader } from '../support/event-reader';
import { until } from '../support/poll';
import type { Service } from '../support/service';
import { openOnServers, withPostgres, type Servers, type Setup } from '../support/setups';

interface WireTask {
  readonly createdAt: string;
  readonly expiresAt?: string;
}

interface WireUsage {
  readonly tasks: number;
  readonly attachments: number;
  readonly bytes: number;
  readonly limits: object;
}

const folder = mkdtempSync(join(tmpdir(), 'dossier-quotas-'));
const quotasFile = join(folder, 'quotas.json');
const writeQuotas = (quota: object) => writeFileSync(quotasFile, JSON.stringify({ organizations: { default: quota } }));

let setup: Setup;
let service: Service;
let reader: EventReader;
beforeAll(async () => {
  writeQuotas({});
  setup = await openOnServers({ RETENTION_FINISHED_DAYS: '30', QUOTAS_FILE: quotasFile });
  ({ service } = setup);
  reader = await EventReader.open(service.url);
});
afterAll(async () => {
  reader?.close();
  await setup?.close();
  rmSync(folder, { recursive: true });
});

const call = (method: string, params: object) => service.result<WireTask>(method, params);
const untilGone = (id: string) =>
  until(`the deletion of ${id}`, async () => {
    const { error } = await service.rpc('task.get', { id });
    return error?.data?.['code'] === 'TASK_NOT_FOUND';
  });
const query = (text: string, values: unknown[]) =>
  withPostgres((setup.servers as Servers).databaseUrl, (client) => client.query(text, values));
/** As if all that has finished had done so so many days earlier. */
const age = (days: number) =>
  query(
    `UPDATE tasks SET completed_at = completed_at - $1 * interval '1 day', cancelled_at = cancelled_at - $1 * interval '1 day'
       WHERE deleted_version IS NULL`,
    [days],
  );

it('a task is deleted after its time to live, with its sub-tasks and what is cached of them', async () => {
  const params = { id: 'limited', text: 'x', ttlSeconds: 3600 };
  const { createdAt, expiresAt, ...created } = await call('task.create', params);
  expect(Date.parse(expiresAt as string)).toBe(Date.parse(createdAt) + 3_600_000);
  expect(await call('task.create', params)).toEqual({ ...created, createdAt, expiresAt, replayed: true });
  expect(await service.error('task.create', { ...params, ttlSeconds: 2 })).toMatchObject({
    code: -32005,
    data: { code: 'TASK_EXISTS' },
  });
  expect(await call('task.get', { id: 'limited' })).toMatchObject({ expiresAt });
  await call('task.create', { id: 'below', text: 'x', parentId: 'limited' });
  await call('task.create_attachment', { taskId: 'below', key: 'k', type: 'text', content: 'x' });
  await call('task.get_attachment', { taskId: 'below', key: 'k' });

  await query('UPDATE tasks SET expires_at = now() WHERE id = $1', ['limited']);
  await untilGone('limited');
  for (const method of ['task.get_attachment', 'task.delete_attachment']) {
    expect(await service.error(method, { taskId: 'below', key: 'k' })).toMatchObject({
      data: { code: 'TASK_NOT_FOUND', taskId: 'below' },
    });
  }
  const deleted = (await reader.events(5)).slice(3);
  expect(deleted.map(({ data }) => [data.type, data.payload['id'], data.payload['deletedBy']])).toEqual([
    ['task.deleted', 'limited', 'retention'],
    ['task.deleted', 'below', 'retention'],
  ]);
});

it('a finished task is deleted after the days that the operator has set, unless a task below it goes on', async () => {
  for (const id of ['done', 'cancelled', 'parent', 'open']) await call('task.create', { id, text: 'x' });
  await call('task.create', { id: 'child', text: 'x', parentId: 'parent' });
  await call('task.cancel', { id: 'cancelled' });
  for (const id of ['done', 'parent']) await call('task.complete', { id, result: [1] });
  await age(29);
  await call('task.create', { id: 'witness', text: 'x', ttlSeconds: 1 });
  await untilGone('witness');
  for (const id of ['done', 'cancelled', 'parent', 'child', 'open']) await call('task.get', { id });

  await age(2);
  await untilGone('done');
  await untilGone('cancelled');
  for (const id of ['parent', 'child', 'open']) await call('task.get', { id });
  await call('task.complete', { id: 'child' });
  await age(31);
  await untilGone('parent');
  await untilGone('child');
  await call('task.get', { id: 'open' });
});

it('the metrics show when the job has last succeeded', async () => {
  const { text } = await service.fetch('/metrics');
  expect(text).toMatch(/^dossier_job_last_success_timestamp_seconds\{job="delete_due_tasks"\} \d/m);
});

it('a quota refuses what exceeds it as soon as the file says so, and `task.usage` shows it', async () => {
  const usage = () => service.result<WireUsage>('task.usage');
  const put = (key: string, content: string) => ({ taskId: 'full', key, type: 'text', content });
  await call('task.create', { id: 'full', text: 'x' });
  const before = await usage();
  expect(before.limits).toEqual({});
  await call('task.create_attachment', put('a', 'äöü'));
  const { tasks, attachments, bytes } = await usage();
  expect([tasks, attachments, bytes]).toEqual([before.tasks, before.attachments + 1, before.bytes + 6]);

  const limits = { attachments: attachments + 1, bytes: bytes + 10 };
  writeQuotas(limits);
  await until('the limits', async () => 'bytes' in (await usage()).limits);
  expect(await usage()).toEqual({ tasks, attachments, bytes, limits });
  expect(await service.error('task.create_attachment', put('b', '12345678901'))).toEqual({
    code: -32602,
    message: 'Quota exceeded',
    data: { code: 'QUOTA_EXCEEDED', quota: 'bytes', limit: bytes + 10, use: bytes },
  });
  await call('task.create_attachment', put('b', '1234567890'));
  expect(await service.error('task.create_attachment', put('c', ''))).toMatchObject({
    data: { code: 'QUOTA_EXCEEDED', quota: 'attachments', limit: attachments + 1, use: attachments + 1 },
  });
  await call('task.create_attachment', put('a', 'aou'));
  await call('task.delete_attachment', { taskId: 'full', key: 'b' });
  await until('room', async () => (await service.rpc('task.create_attachment', put('c', ''))).result !== undefined);
  expect(await usage()).toMatchObject({ attachments: attachments + 1, bytes: bytes - 3 });
});
