import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { connect, headers as natsHeaders, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { writeKeyFile, type KeyFile } from '../support/key-file';
import { startNats, type NatsServer } from '../support/nats-server';
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from '../support/otlp-receiver';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { startRedis, type RedisServer } from '../support/redis-server';
import { startService, type Environment, type Service } from '../support/service';
import { untilServedOverNats } from '../support/until-served-over-nats';

const [SERVER, CLIENT, PRODUCER] = [2, 3, 4];
/** Part of everything that must not be in a span. */
const CANARY = `canary${randomUUID().replaceAll('-', '')}`;

let receiver: OtlpReceiver;
let postgres: PostgresServer;
let redis: RedisServer;
let nats: NatsServer;
let keys: KeyFile;
let service: Service;
let client: NatsConnection;
let credential: Environment;
let environment: Environment;
const events: Msg[] = [];

beforeAll(async () => {
  keys = writeKeyFile(1);
  credential = keys.nextCaller();
  [receiver, postgres, redis, nats] = await Promise.all([
    startOtlpReceiver(),
    startPostgres(),
    startRedis({ appendOnly: true }),
    startNats(),
  ]);
  environment = {
    DATABASE_URL: await postgres.createDatabase(),
    REDIS_URL: redis.url,
    NATS_URL: nats.url,
    API_KEYS_FILE: keys.path,
    INSTANCE_ID: 'replica-1',
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${CANARY}`,
    OTEL_BSP_SCHEDULE_DELAY: '20',
  };
  service = await startService(environment);
  client = await connect({ servers: nats.url });
  client.subscribe('task.attachment_created', { callback: (_error, message) => void events.push(message) });
  await untilServedOverNats(nats.url);
  await service.result('task.create', { id: 'traced', text: 'x' }, credential);
});

afterAll(async () => {
  await client?.close();
  await service?.kill();
  await Promise.all([receiver?.stop(), nats?.stop(), redis?.stop(), postgres?.stop()]);
  keys?.remove();
});

/** A trace that a caller has begun. */
function newTrace() {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-01`, tracestate: 'vendor=value' } };
}

const spansOf = (traceId: string) => receiver.spans.filter((span) => span.traceId === traceId);
const spanOf = (traceId: string, name: string) =>
  until(`the span ${name}`, () => spansOf(traceId).find((span) => span.name === name));
const eventOf = (key: string) =>
  until('the event', () => events.find((message) => message.json<{ payload: { key: string } }>().payload.key === key));

function create(key: string, headers: Environment, value: unknown = key) {
  return service.result(
    'task.create_attachment',
    { taskId: 'traced', key, type: 'json', value },
    { ...credential, ...headers },
  );
}

it('a create is one trace, from the request of the caller to the event', async () => {
  const { traceId, spanId, headers } = newTrace();
  await create('over-http', { ...headers, 'x-request-id': 'request-1' });
  const publish = await spanOf(traceId, 'publish task.attachment_created');
  const http = await spanOf(traceId, 'POST /rpc');
  const call = await spanOf(traceId, 'task.create_attachment');
  const sql = await spanOf(traceId, 'SELECT write_attachment');
  const cached = await spanOf(traceId, 'EVALSHA cacheApplyPut');

  expect(spansOf(traceId)).toHaveLength(5);
  expect([http.parentSpanId, call.parentSpanId]).toEqual([spanId, http.spanId]);
  expect([sql, cached, publish].map(({ parentSpanId }) => parentSpanId)).toEqual(Array(3).fill(call.spanId));
  expect([http, call, sql, cached, publish].map(({ kind }) => kind)).toEqual([
    SERVER,
    SERVER,
    CLIENT,
    CLIENT,
    PRODUCER,
  ]);
  expect(spansOf(traceId).map(({ hasFailed, traceState }) => [hasFailed, traceState])).toEqual(
    Array(5).fill([false, 'vendor=value']),
  );
  expect(http.attributes).toEqual({
    'http.request.method': 'POST',
    'http.response.status_code': 200,
    'http.route': '/rpc',
    'url.path': '/rpc',
    'url.scheme': 'http',
    'network.protocol.version': '1.1',
    'dossier.request_id': 'request-1',
  });
  expect(call.attributes).toEqual({
    'rpc.system.name': 'jsonrpc',
    'rpc.method': 'task.create_attachment',
    'jsonrpc.protocol.version': '2.0',
    'network.protocol.name': 'http',
    'dossier.request_id': 'request-1',
  });
  expect(sql.attributes).toMatchObject({
    'db.system.name': 'postgresql',
    'db.operation.name': 'SELECT',
    'db.query.summary': 'SELECT write_attachment',
    'db.query.text': expect.stringMatching(/^SELECT \* FROM write_attachment\(p_task_id => \$1, /) as unknown,
    'server.address': '127.0.0.1',
    'server.port': postgres.port,
  });
  expect(cached.attributes).toMatchObject({
    'db.system.name': 'redis',
    'db.operation.name': 'EVALSHA',
    'db.stored_procedure.name': 'cacheApplyPut',
  });
  const event = await eventOf('over-http');
  const { metadata, ...body } = event.json<{ metadata: { eventId: string } }>();
  expect(publish.attributes).toEqual({
    'messaging.system': 'nats',
    'messaging.operation.type': 'send',
    'messaging.operation.name': 'publish',
    'messaging.destination.name': 'task.attachment_created',
    'messaging.message.id': metadata.eventId,
  });
  expect(event.headers?.get('traceparent')).toBe(`00-${traceId}-${publish.spanId}-01`);
  expect(event.headers?.get('tracestate')).toBe('vendor=value');
  expect(Object.keys(body).sort()).toEqual(['payload', 'timestamp', 'type']);
  expect(http.resource).toMatchObject({
    'service.name': 'dossier',
    'service.version': expect.stringMatching(/^\d+\.\d+\.\d+/) as unknown,
    'service.instance.id': 'replica-1',
  });
  expect(receiver.requests[0]?.headers.authorization).toBe(`Bearer ${CANARY}`);
});

it('a request over NATS goes on with the trace of its sender, and gets the id of its request back', async () => {
  const { traceId, spanId, headers } = newTrace();
  const sent = natsHeaders();
  for (const [name, value] of Object.entries({ ...credential, ...headers, 'x-request-id': 'r-2' }))
    sent.set(name, value);
  const params = { taskId: 'traced', key: 'over-nats', type: 'text', content: 'x' };
  const reply = await client.request('task.create_attachment', JSON.stringify(params), {
    headers: sent,
    timeout: 10_000,
  });
  expect(reply.headers?.get('x-request-id')).toBe('r-2');
  const publish = await spanOf(traceId, 'publish task.attachment_created');
  const call = await spanOf(traceId, 'task.create_attachment');
  expect([call.parentSpanId, publish.parentSpanId]).toEqual([spanId, call.spanId]);
  expect(call.attributes).toMatchObject({ 'network.protocol.name': 'nats', 'dossier.request_id': 'r-2' });
});

it('a read has a span for what it asked Redis, even if it shares a script with others', async () => {
  const traces = Array.from({ length: 5 }, newTrace);
  const params = { taskId: 'traced', key: 'over-http' };
  await Promise.all(
    traces.map(({ headers }) => service.result('task.get_attachment', params, { ...credential, ...headers })),
  );
  for (const { traceId } of traces) {
    const read = await spanOf(traceId, 'EVALSHA cacheRead');
    expect(read.parentSpanId).toBe((await spanOf(traceId, 'task.get_attachment')).spanId);
  }
});

it('the event of each of the creates that come in together has the trace of its own call', async () => {
  const traces = Array.from({ length: 40 }, newTrace);
  await Promise.all(traces.map(({ headers }, i) => create(`together-${i}`, headers)));
  for (const [i, { traceId }] of traces.entries()) {
    const { headers } = await eventOf(`together-${i}`);
    expect(headers?.get('traceparent').split('-')[1]).toBe(traceId);
  }
});

it('a call without a trace begins one, and jobs that find nothing to do begin none', async () => {
  await service.result('task.get', { id: 'traced' }, { ...credential, 'x-request-id': 'alone' });
  const isAlone = ({ attributes, name }: ReceivedSpan) =>
    attributes['dossier.request_id'] === 'alone' && name === 'POST /rpc';
  const http = await until('the span', () => receiver.spans.find(isAlone));
  expect(http.parentSpanId ?? '').toBe('');
  const call = await spanOf(http.traceId, 'task.get');
  expect(call.parentSpanId).toBe(http.spanId);
  const roots = receiver.spans.filter(({ parentSpanId }) => !parentSpanId).map(({ name }) => name);
  expect(roots.filter((name) => !/^(GET|POST) |^task\./.test(name))).toEqual([]);
  expect(receiver.spans.filter(({ name }) => /startupz|readyz|livez|metrics/.test(name))).toEqual([]);
});

it('a trace that its caller does not record is not recorded, and the event still belongs to it', async () => {
  const { traceId, headers } = newTrace();
  await create('unrecorded', { ...headers, traceparent: headers.traceparent.replace(/01$/, '00') });
  expect((await eventOf('unrecorded')).headers?.get('traceparent')).toMatch(
    new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`),
  );
  const next = newTrace();
  await create('recorded', next.headers);
  await spanOf(next.traceId, 'publish task.attachment_created');
  expect(spansOf(traceId)).toEqual([]);
});

it('nothing that a caller sent, and no credential, is in a span or its names', async () => {
  const { traceId, headers } = newTrace();
  const canaries = { ...headers, 'x-instance-id': CANARY, cookie: CANARY, 'user-agent': CANARY };
  const all = { ...credential, ...canaries };
  const id = `t-${CANARY}`;
  await service.result('task.create', { id, text: CANARY, metadata: { [CANARY]: CANARY } }, all);
  await service.result('task.create_attachment', { taskId: id, key: CANARY, type: 'json', value: CANARY }, all);
  await service.rpc('task.list_attachments', { taskId: id, keyPrefix: CANARY }, all);
  await service.rpc('task.get', { id: `missing-${CANARY}` }, all);
  await service.rpc(`task.${CANARY}`, { [CANARY]: CANARY }, all);
  await service.rpc('task.get', { id }, { ...canaries, 'x-api-key': CANARY });
  await service.post(`{"jsonrpc":"2.0","method":"task.get","id":"${CANARY}"}`, all);
  await service.fetch(`/${CANARY}?${CANARY}`, { headers: all });
  await service.fetch(`/v1/tasks/${id}?${CANARY}`, { method: 'DELETE', headers: all });
  const deletion = await spanOf(traceId, 'DELETE /v1/tasks/*');
  expect(deletion.attributes).toMatchObject({ 'url.path': '/v1/tasks/*', 'http.response.status_code': 204 });
  const unknown = await spanOf(traceId, 'jsonrpc');
  expect([unknown.hasFailed, unknown.attributes['rpc.method']]).toEqual([true, '_OTHER']);
  const failed = spansOf(traceId).filter(({ attributes }) => attributes['dossier.error'] === 'TASK_NOT_FOUND');
  expect(failed[0]?.attributes).toMatchObject({ 'rpc.response.status_code': '-32602', 'error.type': '-32602' });
  expect(receiver.requests.filter(({ body }) => body.includes(CANARY))).toEqual([]);
});

it.each<[string, Environment]>([
  ['garbage', { traceparent: 'garbage', tracestate: '=,=;;' }],
  ['a huge state', { traceparent: newTrace().headers.traceparent, tracestate: `a=${'x'.repeat(8000)}` }],
  ['two traces, as a proxy may join them', { traceparent: `${newTrace().headers.traceparent}, garbage` }],
])('a call is served whose trace is %s', async (what, headers) => {
  const key = `hostile ${what}`;
  await create(key, headers);
  const { headers: announced } = await eventOf(key);
  expect(announced?.get('traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  expect(announced?.get('tracestate')).toBe('');
});

it('nothing is in the log at info for calls that are served; SIGUSR2 shows them, and hides them again', async () => {
  const linesOf = (text: string) => service.logLines.filter((line) => line.includes(text));
  const before = service.logLines.length;
  await create('quiet', {});
  service.signal('SIGUSR2');
  await until('the level is announced', () => linesOf('SIGUSR2: the level of the log is debug now').length === 1);
  expect(service.logLines.slice(before)).toHaveLength(1);
  const { traceId, headers } = newTrace();
  await create('loud', { ...headers, 'x-request-id': 'loud-1' });
  const [line] = await until('the call is in the log', () => {
    const found = linesOf('loud-1');
    return found.length > 0 && found;
  });
  expect(JSON.parse(line as string)).toMatchObject({
    level: 20,
    context: 'calls',
    msg: expect.stringMatching(/^task\.create_attachment over http: ok in /) as unknown,
    requestId: 'loud-1',
    traceId,
  });
  service.signal('SIGUSR2');
  await until('the level is announced', () => linesOf('SIGUSR2: the level of the log is info now').length === 1);
});

it('what the journal took is drained in a trace of its own, linked to the call, and announced in the trace of the call', async () => {
  await create('journaled', {}, 1);
  const { traceId, headers } = newTrace();
  await postgres.kill();
  await until('the write is journaled', async () => {
    const { degraded } = await create('journaled', { ...headers, 'x-request-id': 'journaled-1' }, 2);
    return degraded === true;
  });
  const { spanId } = await spanOf(traceId, 'EVALSHA journalAppend');
  const call = spansOf(traceId).find(
    (span) => span.spanId === spansOf(traceId).find((one) => one.spanId === spanId)?.parentSpanId,
  );
  const missing = { ...newTrace().headers, 'x-request-id': 'warned-1' };
  await service.error('task.get', { id: 'traced' }, { ...credential, ...missing });
  const [warning] = await until('the warning', () => {
    const found = service.logLines.filter((line) => line.includes('warned-1'));
    return found.length > 0 && found;
  });
  expect(JSON.parse(warning as string)).toMatchObject({
    level: 40,
    msg: expect.stringContaining('task.get: postgres ') as unknown,
    traceId: missing.traceparent.split('-')[1],
    requestId: 'warned-1',
  });

  await postgres.restart();
  const hasDrained = ({ links = [], hasFailed }: ReceivedSpan) =>
    !hasFailed && links.some((link) => link.traceId === traceId && link.spanId === call?.spanId);
  const drain = await until('the drain', () => receiver.spans.find(hasDrained));
  expect(drain.name).toBe('drain the journal');
  expect(drain.traceId).not.toBe(traceId);
  const written = await spanOf(drain.traceId, 'SELECT drain_attachments');
  expect(written.parentSpanId).toBe(drain.spanId);
  const publish = await spanOf(traceId, 'publish task.attachment_created');
  expect(publish.parentSpanId).toBe(call?.spanId);
});

it('what has not been sent is sent when the process ends', async () => {
  const { traceId, headers } = newTrace();
  await service.result('task.get', { id: 'traced' }, { ...credential, ...headers });
  expect(await service.stop()).toBe(0);
  expect(spansOf(traceId).map(({ name }) => name)).toContain('POST /rpc');
});

it('a collector that never responds delays neither calls nor the end of the process, and gives few lines', async () => {
  const silent = await startOtlpReceiver({ hangs: true });
  const { OTEL_EXPORTER_OTLP_PROTOCOL: _, ...withDefaultProtocol } = environment;
  const impatient = { OTEL_EXPORTER_OTLP_ENDPOINT: silent.url, OTEL_EXPORTER_OTLP_TIMEOUT: '200' };
  service = await startService({ ...withDefaultProtocol, ...impatient });
  try {
    await until('several exports have come and failed', async () => {
      await service.result('task.get', { id: 'traced' }, credential);
      return silent.requests.length > 3;
    });
    const warnings = () => service.logLines.filter((line) => line.includes('spans are lost'));
    await until('it is in the log', () => warnings().length > 0);
    expect(JSON.parse(warnings()[0] as string)).toMatchObject({ level: 40, context: 'traces' });
    expect(warnings().length).toBeLessThan(silent.requests.length);
    expect(silent.requests[0]?.headers['content-type']).toBe('application/x-protobuf');
    expect(silent.requests.some(({ body }) => body.includes('task.get'))).toBe(true);
    expect(await service.stop()).toBe(0);
  } finally {
    await silent.stop();
  }
});

it('the SDK is not loaded unless traces are asked for', () => {
  const program = `
    require('@nestjs/common').Logger.overrideLogger(false);
    const { AppModule } = require('./dist/app/app.module.js');
    const { loadConfig } = require('./dist/app/config.js');
    const DATABASE_URL = 'postgres://127.0.0.1:1/nothing';
    const load = async (variables) => {
      await AppModule.register(loadConfig({ DATABASE_URL, ...variables }));
      return Object.keys(require.cache).some((file) => file.includes('@opentelemetry/sdk-trace'));
    };
    load({})
      .then(async (first) => [first, await load({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })])
      .then((loaded) => process.stdout.write(loaded.join(' ')));`;
  const loaded = execFileSync(process.execPath, ['-e', program], { cwd: join(__dirname, '../..'), encoding: 'utf8' });
  expect(loaded).toBe('false true');
});
