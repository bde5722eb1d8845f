import { headers } from '@nats-io/nats-core';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import {
  AttachmentNotFoundError,
  ConnectionError,
  DossierClient,
  InvalidParamsError,
  ResponseError,
  TaskFinishedError,
  TaskNotFoundError,
  UnauthorizedError,
  VersionConflictError,
  type ReceivedEvent,
} from '../../client/src/dossier-client';
import { codeIn } from '../support/documented-code';
import { freePort } from '../support/free-port';
import { installClient, type InstalledClient } from '../support/installed-client';
import { startNats, type NatsServer } from '../support/nats-server';
import { keyOf, writeOrganizationKeys, type OrganizationKeys } from '../support/organization-keys';
import type { Service } from '../support/service';
import { startTcpRelay, type TcpRelay } from '../support/tcp-relay';
import { untilServedOverNats } from '../support/until-served-over-nats';
import { ISO_TIME, VERSION } from '../support/wire-values';
import { startEmbedded } from './support/start-embedded';

const apiKey = keyOf('acme')['x-api-key'];

let keys: OrganizationKeys;
let nats: NatsServer;
let service: Service;
let connection: NatsConnection;
let installed: InstalledClient;

beforeAll(async () => {
  keys = writeOrganizationKeys('acme');
  nats = await startNats();
  service = await startEmbedded({ NATS_URL: nats.url, API_KEYS_FILE: keys.path });
  connection = await connect({ servers: nats.url });
  installed = await installClient();
  await untilServedOverNats(nats.url);
});
afterAll(async () => {
  await connection?.close();
  await service?.kill();
  await nats?.stop();
  keys?.remove();
  installed?.remove();
});

const overHttp = (options: { apiKey?: string; url?: string } = { apiKey }) =>
  new DossierClient({ url: service.url, timeoutMs: 30_000, ...options });

describe.each([
  ['HTTP', overHttp],
  [
    'NATS',
    (options = { apiKey }) => new DossierClient({ nats: { connection, headers }, timeoutMs: 30_000, ...options }),
  ],
])('the typed client over %s', (transport, open) => {
  const id = `of-${transport}`;

  it('leads a task with its attachments through its life', async () => {
    const client = open();
    const task = { id, text: 'Оптимизировать запрос 🦊', metadata: { n: 1 } };
    expect(await client.call('task.create', task)).toMatchObject({ status: 'pending', parentId: null });
    expect((await client.call('task.create', task)).replayed).toBe(true);
    const value = { a: [1, null, '🦊'], b: { c: false } };
    const put = { taskId: id, key: 'analysis', type: 'json', value } as const;
    const written = await client.call('task.create_attachment', put);
    expect(written).toMatchObject({ key: 'analysis', replaced: false, version: VERSION });
    const found = await client.call('task.get_attachment', { taskId: id, key: 'analysis' });
    expect(found).toMatchObject({ value, createdBy: 'tester', createdAt: ISO_TIME });
    const page = await client.call('task.list_attachments', { taskId: id, includeBodies: false });
    expect([page.totalCount, page.hasMore, page.attachments[0]?.bytes]).toEqual([1, false, 37]);
    const updated = await client.call('task.update', { taskId: id, updates: { status: 'in_progress' } });
    expect(updated.status).toBe('in_progress');
    expect(await client.call('task.complete', { id, result: 42 })).toMatchObject({ status: 'completed' });
    expect((await client.call('task.get', { id })).attachmentCount).toBe(2);
    expect((await client.call('task.list')).totalCount).toBeGreaterThan(0);
  });

  it.each([
    ['a missing task', TaskNotFoundError, 'task.get', { id: 'none' }, { taskId: 'none' }],
    [
      'a missing attachment',
      AttachmentNotFoundError,
      'task.get_attachment',
      { taskId: id, key: 'none' },
      { key: 'none' },
    ],
    ['wrong params', InvalidParamsError, 'task.list', { limit: 0 }, { errors: [{ field: 'limit' }] }],
    [
      'a finished task',
      TaskFinishedError,
      'task.update',
      { id, updates: { status: 'failed' } },
      { status: 'completed' },
    ],
    [
      'a condition that does not hold',
      VersionConflictError,
      'task.create_attachment',
      { taskId: id, key: 'analysis', type: 'text', content: '', ifAbsent: true },
      { currentVersion: VERSION },
    ],
  ] as const)('gets an error of its own class for %s', async (_, ErrorClass, method, params, data) => {
    const [outcome] = await open().batch([{ method, params } as never]);
    if (outcome?.ok !== false) throw new Error('it did not fail');
    expect(outcome.error).toBeInstanceOf(ErrorClass);
    expect(outcome.error).toMatchObject({ data, retryable: false, attempts: 1 });
  });

  it('is refused without a credential, and with a wrong one', async () => {
    for (const options of [{}, { apiKey: 'wrong' }]) {
      await expect(open(options).call('task.list')).rejects.toBeInstanceOf(UnauthorizedError);
    }
  });

  it('gets the outcome of each call of a batch, in their order', async () => {
    const [listed, missing, page] = await open().batch([
      { method: 'task.list', params: { limit: 1 } },
      { method: 'task.get', params: { id: 'none' } },
      { method: 'task.list_attachments', params: { taskId: id, keyPrefix: 'ana' } },
    ]);
    expect(listed.ok && listed.result.tasks.length).toBe(1);
    expect(!missing.ok && missing.error).toBeInstanceOf(TaskNotFoundError);
    expect(page.ok && page.result.attachments.map(({ key }) => key)).toEqual(['analysis']);
  });
});

describe('the events of the typed client', () => {
  let relay: TcpRelay;
  beforeAll(async () => {
    relay = await startTcpRelay(() => Number(new URL(service.url).port));
  });
  afterAll(() => relay?.close());

  it('come once each and in order, although the connection breaks again and again', async () => {
    const put = (key: string) =>
      overHttp().call('task.create_attachment', { taskId: 'followed', key, type: 'text', content: '' });
    await overHttp().call('task.create', { id: 'followed', text: 'x' });
    const events: ReceivedEvent[] = [];
    const onOpen = () => void put('first');
    const client = overHttp({ apiKey, url: `http://127.0.0.1:${relay.port}` });
    const stream = client.events({ taskId: 'followed', onOpen });
    for (const key of ['first', 'a', 'b', 'c']) {
      if (key !== 'first') await put(key);
      while (keyIn(events.at(-1)) !== key) events.push((await stream.next()).value as ReceivedEvent);
      relay.breakAll();
    }
    const ids = events.map(({ metadata }) => metadata.eventId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(events.map(keyIn)).toEqual(['first', 'a', 'b', 'c']);
    await stream.return();
  });

  it('end when the signal aborts', async () => {
    const controller = new AbortController();
    const end = overHttp().events({ signal: controller.signal }).next();
    controller.abort();
    expect(await end).toEqual({ done: true, value: undefined });
  });

  it('are refused without a credential, for a wrong position, and if nothing listens', async () => {
    await expect(overHttp({}).events().next()).rejects.toMatchObject({ status: 401 });
    await expect(overHttp().events({ lastEventId: 'x' }).next()).rejects.toBeInstanceOf(ResponseError);
    const nowhere = new DossierClient({ url: `http://127.0.0.1:${await freePort()}`, retries: 0 });
    await expect(nowhere.events().next()).rejects.toBeInstanceOf(ConnectionError);
    await expect(nowhere.call('task.list')).rejects.toBeInstanceOf(ConnectionError);
  });
});

function keyIn(event: ReceivedEvent | undefined): unknown {
  return event && 'key' in event.payload ? event.payload.key : undefined;
}

describe('the examples of its README', () => {
  it('run one after the other, with the package as it would be published', async () => {
    const examples = codeIn('client/README.md', 'js', service.url);
    const program = examples.join('\n').replaceAll('process.env.DOSSIER_KEY', JSON.stringify(apiKey));
    const printed = await installed.run(program.replace('nats://127.0.0.1:4222', nats.url));
    expect(printed.trimEnd().split('\n')).toEqual([
      'All is well.',
      'none false',
      'Summarise the report',
      'Task none not found',
      expect.stringMatching(/^[1-9]\d*$/),
    ]);
  });
});
