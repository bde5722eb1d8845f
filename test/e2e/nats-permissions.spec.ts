import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Logger } from '@nestjs/common';
import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startService, type RpcReply, type Service } from '../support/service';

const PERMISSIONS = join(__dirname, '../../deploy/nats-permissions.conf');
const STREAM = 'TASK_EVENTS';
const PURGE = `$JS.API.STREAM.PURGE.${STREAM}`;
const TIMEOUT_MS = 10_000;
/** More than it takes a message to arrive. */
const SETTLE_MS = 500;

const withUser = ({ url }: NatsServer, user: string, password: string) => url.replace('//', `//${user}:${password}@`);
const isDiscovered = (client: NatsConnection) =>
  client.request('$SRV.PING.dossier', '', { timeout: 1000 }).then(
    () => true,
    () => false,
  );

async function droppedRequests(service: Service): Promise<number> {
  const { text } = await service.fetch('/metrics');
  return Number(/^dossier_nats_requests_dropped_total\{reason="reply_subject"\} (\d+)$/m.exec(text)?.[1]);
}

async function storedEvents(client: NatsConnection): Promise<number> {
  const { state } = await (await jetstreamManager(client)).streams.info(STREAM);
  return state.messages;
}

describe('a NATS server without permissions', () => {
  let nats: NatsServer;
  let service: Service;
  let client: NatsConnection;

  beforeAll(async () => {
    nats = await startNats();
    service = await startService({ DATA_DIR: 'memory', NATS_URL: nats.url, NATS_INBOX_PREFIX: 'inbox.callers' });
    client = await connect({ servers: nats.url });
    await until('the service answers', () => isDiscovered(client));
    await service.result('task.create', { id: 't-1', text: 'x' });
    await until('the event is stored', async () => (await storedEvents(client).catch(() => 0)) === 1);
  });
  afterAll(async () => {
    await client?.close();
    await service?.kill();
    await nats?.stop();
  });

  it.each(['task.get', '$SRV.PING', '$SRV.INFO.dossier', '$SRV.STATS'])(
    'a request to %s whose reply would purge the events is dropped and counted',
    async (subject) => {
      const droppedBefore = await droppedRequests(service);
      client.publish(subject, '{"id":"t-1"}', { reply: PURGE });
      await until('the request is dropped', async () => (await droppedRequests(service)) === droppedBefore + 1);
      expect(await storedEvents(client)).toBe(1);
    },
  );

  it('a request whose reply would be a request or an event is not run', async () => {
    for (const reply of ['task.delete', 'task.deleted', 'elsewhere.x']) {
      client.publish('task.update', '{"id":"t-1","updates":{"priority":99}}', { reply });
    }
    await client.flush();
    await sleep(SETTLE_MS);
    expect(await service.result('task.get', { id: 't-1' })).toMatchObject({ priority: 50 });
    expect(await storedEvents(client)).toBe(1);
  });

  it('the prefix of NATS_INBOX_PREFIX is one of inboxes', async () => {
    const other = await connect({ servers: nats.url, inboxPrefix: 'inbox.callers.a' });
    const reply = await other.request('task.get', '{"id":"t-1"}', { timeout: TIMEOUT_MS });
    expect(reply.json<RpcReply>()).toMatchObject({ result: { id: 't-1' } });
    await other.close();
  });
});

describe('a NATS server with the permissions in deploy', () => {
  let nats: NatsServer;
  let service: Service;
  let client: NatsConnection;

  beforeAll(async () => {
    Logger.overrideLogger(false);
    const env = { DOSSIER_NATS_PASSWORD: 'p-dossier', CLIENT_A_NATS_PASSWORD: 'p-client' };
    nats = await startNats({ args: ['--config', PERMISSIONS], env });
    service = await startService({ DATA_DIR: 'memory', NATS_URL: withUser(nats, 'dossier', 'p-dossier') });
    client = await connect({
      servers: nats.url,
      user: 'client_a',
      pass: 'p-client',
      inboxPrefix: '_INBOX.client_a',
    });
    await until('the service answers', () => isDiscovered(client));
  });
  afterAll(async () => {
    await client?.close();
    await service?.kill();
    await nats?.stop();
  });

  const published = async () => {
    const { text } = await service.fetch('/metrics');
    return [...text.matchAll(/^dossier_events_published_total\{type="([^"]+)"\} \d/gm)].map(([, type]) => type).sort();
  };

  it('let a client call every method, and the service publish every event', async () => {
    const call = async (method: string, params: object) => {
      const reply = await client.request(method, JSON.stringify(params), { timeout: TIMEOUT_MS });
      expect(reply.json<RpcReply>()).toHaveProperty('result');
    };
    const ref = { taskId: 't-1', key: 'a' };
    await call('task.create', { id: 't-1', text: 'x' });
    await call('task.create_attachment', { ...ref, type: 'text', content: 'x', ttlSeconds: 1 });
    await call('task.get_attachment', ref);
    await call('task.list_attachments', { taskId: 't-1' });
    await call('task.get_attachments_batch', { requests: [ref] });
    await call('task.create_attachment', { ...ref, key: 'b', type: 'text', content: 'x' });
    await call('task.delete_attachment', { ...ref, key: 'b' });
    await call('task.get', { id: 't-1' });
    await call('task.list', {});
    await call('task.usage', {});
    await call('task.update', { id: 't-1', updates: { priority: 1 } });
    await call('task.complete', { id: 't-1' });
    await call('task.create', { id: 't-2', text: 'x' });
    await call('task.cancel', { id: 't-2' });
    await call('task.delete', { id: 't-2' });
    await until('every event is published', async () => (await published()).length === 8, 30_000);
  });

  it("let Nest's client call", async () => {
    const options = { servers: [nats.url], user: 'client_a', pass: 'p-client', inboxPrefix: '_INBOX.client_a' };
    const nest = ClientProxyFactory.create({ transport: Transport.NATS, options });
    expect(await firstValueFrom(nest.send<unknown>('task.list', {}))).toHaveProperty('tasks');
    await nest.close();
  });

  it.each(['task.>', 'task.get', '_INBOX.>', '_INBOX.client_b.>', '$JS.>', '$SRV.PING', 'task.deleted'])(
    'keep a client from subscribing to %s',
    async (subject) => {
      const subscription = client.subscribe(subject, { callback: () => undefined });
      await expect(subscription.closed).resolves.toMatchObject({ name: 'PermissionViolationError' });
    },
  );

  it('keep clients and the service from publishing elsewhere', async () => {
    const users = [
      { user: 'client_a', pass: 'p-client', inboxPrefix: '_INBOX.client_a', subjects: ['task.deleted', PURGE] },
      { user: 'dossier', pass: 'p-dossier', subjects: ['task.delete', PURGE, `$JS.API.STREAM.DELETE.${STREAM}`] },
    ];
    for (const { subjects, ...options } of users) {
      const other = await connect({ servers: nats.url, ...options });
      const refusals: string[] = [];
      void (async () => {
        for await (const status of other.status()) if (status.type === 'error') refusals.push(status.error.message);
      })();
      for (const subject of subjects) other.publish(subject, '');
      await until('each is refused', () => refusals.length === subjects.length);
      await other.close();
    }
    const reader = await connect({ servers: nats.url, user: 'dossier', pass: 'p-dossier' });
    expect(await storedEvents(reader)).toBeGreaterThan(0);
    await reader.close();
  });
});
