import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Svcm } from '@nats-io/services';
import { Logger } from '@nestjs/common';
import { connect, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { ClientProxyFactory, NatsRecordBuilder, Transport, type ClientProxy } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { version } from '../../package.json';
import { METHODS as DESCRIPTIONS } from '../../src/inbound/methods/method-descriptions';
import { checkOutcome } from '../support/described-replies';
import { natsHeaders } from '../support/nats-headers';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { startRedis, type RedisServer } from '../support/redis-server';
import { createRuntimeDatabase } from '../support/runtime-database';
import { startService, type Members, type RpcError, type Service } from '../support/service';
import { untilServedOverNats } from '../support/until-served-over-nats';

const CALLER = { 'x-instance-id': 'tester' };
/** Below the server's own limit of 1 MiB, so that some payloads lie between the two limits. */
const MAX_BODY_BYTES = 768 * 1024;
const TIMEOUT_MS = 10_000;
const TASK = 'nats-requests';

const METHODS = [
  'task.cancel',
  'task.complete',
  'task.create',
  'task.create_attachment',
  'task.delete',
  'task.delete_attachment',
  'task.get',
  'task.get_attachment',
  'task.get_attachments_batch',
  'task.list',
  'task.list_attachments',
  'task.update',
  'task.usage',
];

interface Outcome {
  readonly result?: unknown;
  readonly error?: RpcError;
}
type Call = (method: string, params: object) => Promise<Outcome>;

let postgres: PostgresServer;
let redis: RedisServer;
let nats: NatsServer;
let replicas: Service[] = [];
let client: NatsConnection;
let nest: ClientProxy;

beforeAll(async () => {
  // Nest's client would log its connection.
  Logger.overrideLogger(false);
  [postgres, redis, nats] = await Promise.all([startPostgres(), startRedis(), startNats()]);
  const { url: databaseUrl } = await createRuntimeDatabase(postgres);
  const start = (instanceId: string) =>
    startService({
      INSTANCE_ID: instanceId,
      DATABASE_URL: databaseUrl,
      REDIS_URL: redis.url,
      NATS_URL: nats.url,
      MAX_BODY_BYTES: String(MAX_BODY_BYTES),
    });
  replicas = [await start('replica-1'), await start('replica-2')];
  client = await connect({ servers: nats.url });
  nest = ClientProxyFactory.create({ transport: Transport.NATS, options: { servers: [nats.url] } });
  await nest.connect();
  await untilServedOverNats(nats.url, 2);
  expect(await viaBareParams('task.create', { id: TASK, text: 'over NATS' })).toHaveProperty('result');
});

afterAll(async () => {
  await nest?.close();
  await client?.close();
  await Promise.all(replicas.map((replica) => replica.stop()));
  await Promise.all([nats?.stop(), postgres?.stop(), redis?.stop()]);
});

function send(subject: string, payload: unknown, sentHeaders: Record<string, string> = CALLER): Promise<Msg> {
  const data = typeof payload === 'string' || payload instanceof Uint8Array ? payload : JSON.stringify(payload);
  return client.request(subject, data, { timeout: TIMEOUT_MS, headers: natsHeaders(sentHeaders) });
}

async function replyTo(subject: string, payload: unknown): Promise<Members> {
  const reply = (await send(subject, payload)).json<Members>();
  checkOutcome(subject, {
    result: reply['result'] ?? reply['response'],
    error: (reply['error'] ?? reply['err']) as RpcError,
  });
  return reply;
}

const viaHttp: Call = async (method, params) => (replicas[0] as Service).rpc(method, params, CALLER);
const viaJsonRpc: Call = (method, params) => replyTo(method, { jsonrpc: '2.0', method, params, id: 1 });
const viaBareParams: Call = (method, params) => replyTo(method, params);
const viaNestPacket: Call = async (method, params) => {
  const { response, err } = await replyTo(method, { pattern: method, data: params, id: 'a' });
  return { result: response, error: err as RpcError | undefined };
};
const viaNestClient: Call = (method, params) => {
  const record = new NatsRecordBuilder(params).setHeaders(natsHeaders({ 'x-instance-id': 'tester' })).build();
  return firstValueFrom(nest.send<unknown>(method, record)).then(
    (result) => ({ result }),
    (error: RpcError) => ({ error }),
  );
};

/** The replies of every method for one task, without the parts that differ between any two tasks. */
async function transcript(call: Call, taskId: string): Promise<string[]> {
  const ref = { taskId, key: 'a' };
  const steps: [string, object][] = [
    ['task.create', { id: taskId, text: 'x', metadata: { n: 1 } }],
    ['task.create', { id: taskId, text: 'again' }],
    ['task.create_attachment', { ...ref, type: 'json', value: { 2: 1.5, a: [null, '😀'] } }],
    ['task.create_attachment', { ...ref, type: 'json', value: false, ifVersion: 1 }],
    ['task.get_attachment', ref],
    ['task.list_attachments', { taskId, limit: 10 }],
    ['task.get_attachments_batch', { requests: [ref, { taskId, key: 'b' }], allowMissing: true }],
    ['task.get_attachments_batch', { requests: [ref, { taskId, key: 'b' }] }],
    ['task.delete_attachment', ref],
    ['task.get_attachment', ref],
    ['task.update', { id: taskId, updates: { priority: 7 } }],
    ['task.get', { id: taskId }],
    ['task.get', { id: 'no such', unknown: 1 }],
    ['task.list', { parentId: taskId }],
    ['task.usage', {}],
    ['task.complete', { id: taskId, workerId: 'w', result: { done: true } }],
    ['task.cancel', { id: taskId }],
    ['task.delete', { id: taskId }],
    ['task.get', { id: taskId }],
  ];
  expect(new Set(steps.map(([method]) => method))).toEqual(new Set(METHODS));
  const lines: string[] = [];
  for (const [method, params] of steps) {
    const { result, error } = await call(method, params);
    const text = JSON.stringify({ method, result, error })
      .replaceAll(taskId, 'TASK')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replace(/ta-\d+-\w+/g, 'ATTACHMENT')
      .replace(/"(currentV|v)ersion":\d+/g, '"$1ersion":0')
      .replace(/"(tasks|attachments|bytes)":\d+/g, '"$1":0');
    lines.push(text);
  }
  return lines;
}

describe('every method over NATS', () => {
  let expected: string[];

  beforeAll(async () => {
    expected = await transcript(viaHttp, 'task-http');
    expect(expected.filter((line) => line.includes('"error"'))).toHaveLength(6);
  });

  it.each([
    ['a JSON-RPC request object', 'task-json-rpc', viaJsonRpc],
    ['bare params', 'task-bare-params', viaBareParams],
    ['a packet of Nest', 'task-packet', viaNestPacket],
    ["Nest's own client", 'task-client', viaNestClient],
  ])('gives the same replies as over HTTP to %s', async (_form, taskId, call) => {
    expect(await transcript(call, taskId)).toEqual(expected);
  });
});

describe('a reply over NATS', () => {
  const missing = { taskId: TASK, key: 'nothing' };
  const message = `Attachment with key 'nothing' not found for task ${TASK}`;
  const error = { code: -32602, message, data: { code: 'ATTACHMENT_NOT_FOUND', ...missing } };

  it('has the id of the request, or null for bare params', async () => {
    const params = { id: TASK };
    expect(await replyTo('task.get', { jsonrpc: '2.0', params, id: 'x' })).toMatchObject({ jsonrpc: '2.0', id: 'x' });
    expect(await replyTo('task.get', '{"jsonrpc":"2.0","id":12345678901234567890}')).toMatchObject({ error: {} });
    expect(await replyTo('task.get', params)).toMatchObject({ jsonrpc: '2.0', result: { id: TASK }, id: null });
    const packet = await replyTo('task.get', { pattern: 'task.get', data: params, id: 'x' });
    expect(packet).toMatchObject({ id: 'x', response: { id: TASK }, isDisposed: true });
    expect(packet).not.toHaveProperty('err');
  });

  it.each([
    ['JSON-RPC', { jsonrpc: '2.0', params: missing, id: 7 }, { jsonrpc: '2.0', error, id: 7 }],
    ['bare params', missing, { jsonrpc: '2.0', error, id: null }],
    ['Nest', { pattern: 'x', data: missing, id: '7' }, { id: '7', err: error, isDisposed: true }],
  ])('names the error in its headers too, after %s', async (_form, request, expected) => {
    const reply = await send('task.get_attachment', request);
    expect(reply.json()).toEqual(expected);
    expect(reply.headers?.get('Nats-Service-Error')).toBe(message);
    expect(reply.headers?.get('Nats-Service-Error-Code')).toBe('-32602');
  });

  it('has no error headers if the call succeeds', async () => {
    expect((await send('task.get', { id: TASK })).headers?.has('Nats-Service-Error')).toBeFalsy();
  });

  it('names an error in its headers even if the message is not ASCII', async () => {
    const reply = await send('task.get_attachment', { taskId: TASK, key: 'größe 😀' });
    expect(reply.headers?.get('Nats-Service-Error')).toContain('größe 😀');
  });

  it('returns JSON values character for character', async () => {
    const params = `{"taskId":"${TASK}","key":"spelt","type":"json","value":{"2":1.0,"1":1e2,"1":"\\ud800"}}`;
    expect(await replyTo('task.create_attachment', params)).toHaveProperty('result');
    const reply = await send('task.get_attachment', { taskId: TASK, key: 'spelt' });
    expect(reply.string()).toContain('"value":{"2":1.0,"1":1e2,"1":"\\ud800"}');
  });
});

describe('a request over NATS', () => {
  it.each<[string, string | Uint8Array]>([
    ['white space', ' '],
    ['half an object', '{"id":'],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['nothing but brackets', '['.repeat(500_000)],
  ])('is a parse error if its payload is %s', async (_what, payload) => {
    const reply = await send('task.get', payload);
    expect(reply.json()).toEqual({ jsonrpc: '2.0', error: { code: -32700, message: 'Parse error' }, id: null });
    expect(reply.headers?.get('Nats-Service-Error-Code')).toBe('-32700');
    expect(await viaBareParams('task.get', { id: TASK })).toHaveProperty('result');
  });

  it('has no params if its payload is empty', async () => {
    expect(await replyTo('task.list', '')).toMatchObject({ jsonrpc: '2.0', result: { hasMore: false }, id: null });
    expect(await replyTo('task.get', '')).toMatchObject({ error: { code: -32602, message: 'Invalid params' } });
  });

  it.each([
    ['a request object', (params: unknown) => ({ jsonrpc: '2.0', params, id: 1 })],
    ['a packet of Nest', (data: unknown) => ({ pattern: 'x', data, id: 1 })],
  ])('may pass null, an empty array or an array of one object as params, in %s', async (_form, requestOf) => {
    for (const none of [null, []]) {
      const { result, response } = await replyTo('task.list', requestOf(none));
      expect(result ?? response).toMatchObject({ hasMore: false });
    }
    const { result, response } = await replyTo('task.get', requestOf([{ id: TASK }]));
    expect(result ?? response).toMatchObject({ id: TASK });
  });

  it.each([
    ['a batch', [{ jsonrpc: '2.0', id: 1 }], /^a NATS request must be one object/],
    ['a scalar', '7', /^a NATS request must be one object/],
    [
      'a call of a method of another subject',
      { jsonrpc: '2.0', method: 'task.list', id: null },
      /^method must be left out or be the subject, task.get$/,
    ],
  ])('is refused as invalid if it is %s, and the reply says why', async (_what, payload, reason) => {
    const data = { code: 'INVALID_REQUEST', reason: expect.stringMatching(reason) as unknown };
    const error = { code: -32600, message: 'Invalid Request', data };
    expect(await replyTo('task.get', payload)).toEqual({ jsonrpc: '2.0', error, id: null });
  });

  it('is refused if it is larger than the limit', async () => {
    const fill = (size: number) => JSON.stringify({ taskId: TASK, key: 'k', type: 'text', content: 'x'.repeat(size) });
    const overhead = fill(0).length;
    expect(await replyTo('task.create_attachment', fill(MAX_BODY_BYTES - overhead))).toHaveProperty('result');
    expect(await replyTo('task.create_attachment', fill(MAX_BODY_BYTES - overhead + 1))).toEqual({
      jsonrpc: '2.0',
      error: {
        code: -32600,
        message: 'Invalid Request',
        data: {
          code: 'BODY_TOO_LARGE',
          maxBodyBytes: MAX_BODY_BYTES,
          reason: `the body has more than ${MAX_BODY_BYTES} bytes`,
        },
      },
      id: null,
    });
  });

  it('gets an error if its reply is too large for the server', async () => {
    const taskId = 'large';
    await viaBareParams('task.create', { id: taskId, text: 'x' });
    for (const key of ['a', 'b']) {
      await viaBareParams('task.create_attachment', { taskId, key, type: 'text', content: 'x'.repeat(700_000) });
    }
    const reply = await send('task.list_attachments', { taskId });
    expect(reply.json()).toMatchObject({
      error: {
        code: -32603,
        data: {
          code: 'REPLY_TOO_LARGE',
          maxPayloadBytes: client.info?.max_payload,
          reason: expect.stringMatching(/^ask for less/) as unknown,
        },
      },
    });
    expect(reply.headers?.get('Nats-Service-Error-Code')).toBe('-32603');
    const { result } = (await viaBareParams('task.list_attachments', { taskId, limit: 1 })) as { result: Members };
    expect(result['totalCount']).toBe(2);
  });
});

describe('notifications over NATS', () => {
  const create = (key: string) => ({ taskId: TASK, key, type: 'text', content: 'x' });
  const untilStored = (key: string) =>
    until(`${key} is stored`, async () => {
      const { result } = await viaBareParams('task.get_attachment', { taskId: TASK, key });
      return result !== undefined;
    });

  it.each([
    ['a JSON-RPC request', { jsonrpc: '2.0', params: create('n-1'), id: 1 }, 'n-1'],
    ['bare params', create('n-2'), 'n-2'],
    ['a packet of Nest', { pattern: 'x', data: create('n-3'), id: 'a' }, 'n-3'],
  ])('are requests without a reply subject: %s', async (_form, payload, key) => {
    client.publish('task.create_attachment', JSON.stringify(payload));
    await untilStored(key);
  });

  it.each([
    ['a JSON-RPC request', { jsonrpc: '2.0', params: create('n-4') }, 'n-4'],
    ['a packet of Nest', { pattern: 'x', data: create('n-5') }, 'n-5'],
  ])('are requests without an id, which get no reply: %s', async (_form, payload, key) => {
    const replies: Msg[] = [];
    const subscription = client.subscribe(`_INBOX.replies.${key}`, {
      callback: (_error, reply) => void replies.push(reply),
    });
    client.publish('task.create_attachment', JSON.stringify(payload), { reply: `_INBOX.replies.${key}` });
    await untilStored(key);
    await sleep(50);
    expect(replies).toEqual([]);
    subscription.unsubscribe();
  });

  it("include the events of Nest's client", async () => {
    await firstValueFrom(nest.emit('task.create_attachment', create('n-6')), { defaultValue: undefined });
    await untilStored('n-6');
  });

  it('that are malformed leave the service working', async () => {
    for (const payload of ['', '{', '[]', '{"jsonrpc":"2.0","params":1}', 'x'.repeat(MAX_BODY_BYTES + 1)]) {
      client.publish('task.create_attachment', payload);
    }
    await client.flush();
    expect(await viaBareParams('task.get', { id: TASK })).toHaveProperty('result');
  });
});

describe('the author of a write over NATS', () => {
  const authorOf = async (sentHeaders: Record<string, string>) => {
    const params = { taskId: TASK, key: randomUUID(), type: 'text', content: 'x' };
    await send('task.create_attachment', params, sentHeaders);
    const { result } = await viaBareParams('task.get_attachment', { taskId: TASK, key: params.key });
    return (result as Members)['createdBy'];
  };

  it('is the instance that the header names, in upper or lower case', async () => {
    expect(await authorOf({ 'x-instance-id': 'worker 7' })).toBe('worker 7');
    expect(await authorOf({ 'X-Instance-Id': 'Zoë' })).toBe('Zoë');
  });

  it('is the replica if the header is missing or too long', async () => {
    expect(await authorOf({})).toMatch(/^replica-[12]$/);
    expect(await authorOf({ 'x-instance-id': 'x'.repeat(129) })).toMatch(/^replica-[12]$/);
  });

  it('is the replica if the headers are too large to be read', async () => {
    expect(await authorOf({ 'x-instance-id': 'worker 7', 'x-more': 'x'.repeat(9000) })).toMatch(/^replica-[12]$/);
  });

  it('is the replica if there are more than 64 headers', async () => {
    const more = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, 'x']));
    expect(await authorOf({ 'x-instance-id': 'worker 7', ...more(63) })).toBe('worker 7');
    expect(await authorOf({ 'x-instance-id': 'worker 7', ...more(64) })).toMatch(/^replica-[12]$/);
  });
});

/** What every replica reports about the service under `$SRV`. */
function discovered(verb: 'PING' | 'INFO' | 'STATS'): Promise<Members[]> {
  return requestMany(client, `$SRV.${verb}.dossier`, 2);
}

/** The first `count` replies, or those that arrive in time. */
async function requestMany(from: NatsConnection, subject: string, count: number): Promise<Members[]> {
  const replies: Members[] = [];
  for await (const reply of await from.requestMany(subject, '', countedReplies(count))) {
    replies.push(reply.json<Members>());
  }
  return replies;
}

function countedReplies(count: number) {
  return { strategy: 'count', maxMessages: count, maxWait: 5000 } as const;
}

describe('service discovery', () => {
  interface EndpointStats {
    readonly subject: string;
    readonly num_requests: number;
    readonly num_errors: number;
    readonly last_error?: string;
    readonly processing_time: number;
    readonly average_processing_time: number;
  }
  const statsOf = async (subject: string) => {
    const endpoints = (await discovered('STATS')).flatMap(({ endpoints }) => endpoints as EndpointStats[]);
    return endpoints.filter((endpoint) => endpoint.subject === subject);
  };
  const total = (stats: EndpointStats[], count: 'num_requests' | 'num_errors') =>
    stats.reduce((sum, endpoint) => sum + endpoint[count], 0);

  it('finds every replica', async () => {
    const pings = await discovered('PING');
    expect(pings).toHaveLength(2);
    for (const ping of pings) expect(ping).toMatchObject({ name: 'dossier', version });
    const instances = pings.map(({ metadata }) => (metadata as Members)['instanceId']);
    expect(instances.sort()).toEqual(['replica-1', 'replica-2']);
  });

  it('works with the client of the NATS library too', async () => {
    const names: string[] = [];
    for await (const { name } of await new Svcm(client).client(countedReplies(2)).ping()) names.push(name);
    expect(names).toEqual(['dossier', 'dossier']);
  });

  it('lists one endpoint for each method', async () => {
    for (const { endpoints } of await discovered('INFO')) {
      const found = endpoints as { subject: string; name: string; queue_group: string }[];
      expect(found.map(({ subject }) => subject).sort()).toEqual(METHODS);
      for (const { name, queue_group } of found) {
        expect(name).toMatch(/^[\w-]+$/);
        expect(queue_group).toBe('dossier');
      }
    }
  });

  it('describes each method with the schemas of its params and its result', async () => {
    for (const { endpoints } of await discovered('INFO')) {
      for (const { subject, metadata } of endpoints as { subject: string; metadata: Record<string, string> }[]) {
        const { summary, role, params, result } = DESCRIPTIONS.find(({ name }) => name === subject)!;
        expect(metadata).toMatchObject({ summary, role, format: 'application/json' });
        expect(JSON.parse(metadata['request_schema']!)).toEqual(params);
        expect(JSON.parse(metadata['response_schema']!)).toEqual(result);
      }
    }
  });

  it('counts requests, errors and processing time', async () => {
    const before = await statsOf('task.list');
    const refused = { limit: 0 };
    for (let i = 0; i < 20; i++) await viaJsonRpc('task.list', {});
    for (let i = 0; i < 4; i++) await viaNestPacket('task.list', refused);
    await send('task.list', 'no JSON');
    const after = await statsOf('task.list');
    expect(total(after, 'num_requests') - total(before, 'num_requests')).toBe(25);
    expect(total(after, 'num_errors') - total(before, 'num_errors')).toBe(5);
    expect(after.map(({ last_error }) => last_error)).toContainEqual('-32700');
    for (const { num_requests, processing_time, average_processing_time } of after) {
      expect(processing_time).toBeGreaterThan(0);
      expect(average_processing_time).toBe(Math.round(processing_time / num_requests));
    }
  });

  it('reveals no task and no attachment', async () => {
    await viaBareParams('task.get_attachment', { taskId: TASK, key: 'confidential' });
    expect(JSON.stringify(await discovered('STATS'))).not.toMatch(/confidential|nats-requests/);
  });
});

describe('two replicas on NATS', () => {
  it('share the requests, and each request gets one reply', async () => {
    const before = await discovered('STATS');
    let replies = 0;
    const subscription = client.subscribe('_INBOX.replies.many', { callback: () => void replies++ });
    for (let i = 0; i < 200; i++)
      client.publish('task.get', JSON.stringify({ id: TASK }), { reply: '_INBOX.replies.many' });
    await until('200 replies', () => replies >= 200);
    await sleep(50);
    expect(replies).toBe(200);
    subscription.unsubscribe();

    const requestsOf = (stats: Members[], id: unknown) => {
      const endpoints = stats.find((replica) => replica['id'] === id)?.['endpoints'];
      return (endpoints as { num_requests: number }[]).reduce((sum, { num_requests }) => sum + num_requests, 0);
    };
    const after = await discovered('STATS');
    const shares = after.map(({ id }) => requestsOf(after, id) - requestsOf(before, id));
    expect(shares[0]! + shares[1]!).toBe(200);
    expect(Math.min(...shares)).toBeGreaterThan(20);
  });

  it('measure the requests that they serve', async () => {
    const { text } = await (replicas[0] as Service).fetch('/metrics');
    expect(text).toMatch(
      /dossier_request_duration_seconds_count\{method="task\.get",transport="nats",outcome="ok"\} \d/,
    );
  });
});

describe('a service with API keys on NATS', () => {
  let guardedNats: NatsServer;
  let guarded: Service;
  let guardedClient: NatsConnection;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dossier-keys-'));
    const entry = (role: string) => {
      const sha256 = createHash('sha256').update(`key-${role}`).digest('hex');
      return { id: role, name: `the ${role}`, organization: 'acme', role, sha256 };
    };
    writeFileSync(join(folder, 'keys.json'), JSON.stringify([entry('read'), entry('write')]));
    guardedNats = await startNats();
    guarded = await startService({
      DATABASE_URL: (await createRuntimeDatabase(postgres)).url,
      NATS_URL: guardedNats.url,
      API_KEYS_FILE: join(folder, 'keys.json'),
    });
    guardedClient = await connect({ servers: guardedNats.url });
    await untilServedOverNats(guardedNats.url);
  });
  afterAll(async () => {
    await guardedClient?.close();
    await guarded?.stop();
    await guardedNats?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const answer = async (subject: string, payload: object, apiKey?: string) => {
    const headers = natsHeaders(apiKey === undefined ? {} : { 'X-Api-Key': apiKey });
    const options = { timeout: TIMEOUT_MS, headers };
    return guardedClient.request(subject, JSON.stringify(payload), options);
  };

  it.each([
    ['without a key', undefined],
    ['with a wrong key', 'key-admin'],
    ['with an empty key', ''],
  ])('refuses a request %s', async (_what, apiKey) => {
    const error = { code: -32002, message: 'Unauthorized', data: { code: 'UNAUTHORIZED' } };
    const reply = await answer('task.list', {}, apiKey);
    expect(reply.json()).toEqual({ jsonrpc: '2.0', error, id: null });
    expect(reply.headers?.get('Nats-Service-Error-Code')).toBe('-32002');
    const packet = await answer('task.list', { pattern: 'task.list', data: {}, id: 'a' }, apiKey);
    expect(packet.json()).toEqual({ id: 'a', err: error, isDisposed: true });
  });

  it('gives each role the same rights as over HTTP', async () => {
    const create = { id: 't-1', text: 'x' };
    expect((await answer('task.create', create, 'key-read')).json()).toMatchObject({ error: { code: -32004 } });
    expect((await answer('task.create', create, 'key-write')).json()).toMatchObject({ result: { id: 't-1' } });
    const found = (await answer('task.get', { id: 't-1' }, 'key-read')).json();
    expect(found).toMatchObject({ result: { organization: 'acme', createdBy: 'the write' } });
  });
});
