import { connect, type AddressInfo } from 'node:net';
import { request as httpRequest } from 'node:http';
import { promisify } from 'node:util';
import { Global, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Registry } from 'prom-client';
import { notFound, type Attachment } from '../../../../src/core/domain/attachment';
import { DomainError } from '../../../../src/core/domain/domain-error';
import { JsonText } from '../../../../src/core/domain/json-text';
import { taskNotFound, type Task } from '../../../../src/core/domain/task';
import type { Room } from '../../../../src/core/ports/room';
import { StoreError } from '../../../../src/core/ports/store-error';
import { Tracing, TRACING_OFF } from '../../../../src/core/ports/tracing';
import { CoreSettings } from '../../../../src/core/ports/core-settings';
import { CancelTask } from '../../../../src/core/use-cases/tasks/cancel-task';
import { CompleteTask } from '../../../../src/core/use-cases/tasks/complete-task';
import { CreateAttachment } from '../../../../src/core/use-cases/attachments/create-attachment';
import { CreateTask } from '../../../../src/core/use-cases/tasks/create-task';
import { DeleteAttachment } from '../../../../src/core/use-cases/attachments/delete-attachment';
import { DeleteTask } from '../../../../src/core/use-cases/tasks/delete-task';
import { GetAttachment } from '../../../../src/core/use-cases/attachments/get-attachment';
import { GetAttachmentsBatch } from '../../../../src/core/use-cases/attachments/get-attachments-batch';
import { GetUsage } from '../../../../src/core/use-cases/tasks/get-usage';
import { GetTask } from '../../../../src/core/use-cases/tasks/get-task';
import { ListAttachments } from '../../../../src/core/use-cases/attachments/list-attachments';
import { IsForeignTask } from '../../../../src/core/use-cases/tasks/is-foreign-task';
import { ProjectChanges } from '../../../../src/core/use-cases/upkeep/project-changes';
import { FollowEvents } from '../../../../src/core/use-cases/events/follow-events';
import { ListTasks } from '../../../../src/core/use-cases/tasks/list-tasks';
import { UpdateTask } from '../../../../src/core/use-cases/tasks/update-task';
import { Authenticator } from '../../../../src/inbound/auth/authenticator';
import { DependencyWatch } from '../../../../src/inbound/health/dependency-watch';
import { Lifecycle } from '../../../../src/inbound/health/lifecycle';
import { HttpModule } from '../../../../src/inbound/http/http.module';
import { JsonRpcHttpOptions, JsonRpcHttpStrategy } from '../../../../src/inbound/http/json-rpc-http.strategy';
import { CallDurations } from '../../../../src/inbound/json-rpc/call-durations';
import { LoadShedder } from '../../../../src/inbound/load/load-shedder';
import { refuseUndecodableUrl } from '../../../../src/inbound/http/refuse-undecodable-url';
import { MethodsModule } from '../../../../src/inbound/methods/methods.module';
import { RateLimitRules } from '../../../../src/inbound/methods/rate-limit-rules';
import { RateLimits } from '../../../../src/inbound/methods/rate-limits';
import { MemoryRateLimits } from '../../../../src/outbound/memory/memory-rate-limits';
import { until } from '../../../support/poll';
import { openConnection, rawRequest } from '../../../support/raw-http';

const useCases = [
  CreateAttachment,
  GetAttachment,
  ListAttachments,
  GetAttachmentsBatch,
  DeleteAttachment,
  CreateTask,
  GetTask,
  UpdateTask,
  CompleteTask,
  CancelTask,
  ListTasks,
  GetUsage,
  DeleteTask,
  IsForeignTask,
  FollowEvents,
];
const executes = new Map(useCases.map((useCase) => [useCase.name, jest.fn<Promise<unknown>, unknown[]>()]));
const execute = (useCase: { readonly name: string }) =>
  executes.get(useCase.name) as jest.Mock<Promise<unknown>, unknown[]>;

const MAX_BODY_BYTES = 4096;
const MAX_REPLY_BYTES = 65_536;
const FRONT_DOOR = { corsOrigins: [], isOpen: false, maxConnectionsPerPeer: 1000, trustedProxies: [] };

const provided = [
  { provide: CoreSettings, useValue: new CoreSettings('replica-1', 1000, 1000) },
  { provide: RateLimits, useValue: new MemoryRateLimits({ maxWindows: 1000 }) },
  { provide: Authenticator, useValue: new Authenticator({}, 'replica-1') },
  { provide: LoadShedder, useValue: new LoadShedder({ maxInFlight: 100, maxEventLoopDelayMs: 10_000 }) },
  { provide: CallDurations, useValue: new CallDurations(new Registry()) },
  { provide: Registry, useValue: new Registry() },
  { provide: Tracing, useValue: TRACING_OFF },
  { provide: DependencyWatch, useValue: {} },
  { provide: ProjectChanges, useValue: {} },
  ...useCases.map((useCase) => ({ provide: useCase, useValue: { execute: execute(useCase) } })),
];

@Global()
@Module({
  imports: [
    MethodsModule.register(new RateLimitRules(0, new Map())),
    HttpModule.register(new JsonRpcHttpOptions(MAX_BODY_BYTES, MAX_REPLY_BYTES), FRONT_DOOR),
  ],
  providers: provided,
  exports: provided,
})
class TestModule {}

const JSON_HEADERS = { 'content-type': 'application/json' };
/** Of the call, in the log. */
const IDS: unknown = { requestId: expect.stringMatching(/./) as unknown };
const AT_MS = Date.UTC(2025, 0, 19, 11);
const AT = '2025-01-19T11:00:00.000Z';

let app: NestFastifyApplication;
let lifecycle: Lifecycle;
let strategy: JsonRpcHttpStrategy;
let url: string;

beforeEach(async () => {
  for (const one of executes.values()) one.mockReset();
  const options = { bodyParser: false, logger: false } as const;
  const adapter = new FastifyAdapter({ frameworkErrors: refuseUndecodableUrl });
  app = await NestFactory.create<NestFastifyApplication>(TestModule, adapter, options);
  lifecycle = app.get(Lifecycle);
  lifecycle.started();
  strategy = app.get(JsonRpcHttpStrategy);
  app.connectMicroservice({ strategy }, { inheritAppConfig: true });
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  url = `http://127.0.0.1:${port()}/rpc`;
});

afterEach(async () => {
  await app.close();
});

function port(): number {
  return (app.getHttpServer().address() as AddressInfo).port;
}

function post(body: string | Buffer | undefined, headers: Record<string, string> = JSON_HEADERS): Promise<Response> {
  return fetch(url, { method: 'POST', body, headers });
}

async function call(method: string, params: unknown = {}): Promise<{ result?: unknown; error?: unknown }> {
  const response = await post(JSON.stringify({ jsonrpc: '2.0', method, params, id: 1 }));
  expect(response.status).toBe(200);
  return (await response.json()) as { result?: unknown; error?: unknown };
}

/** Writes bytes as they are, and gives everything that comes back until the server closes the connection. */
function raw(...parts: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port(), '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (data: string) => (answer += data));
    socket.on('close', () => resolve(answer)).on('error', reject);
    for (const part of parts) socket.write(part);
  });
}

/** What has come when the service ends the connection. */
function answerToEndlessParts(target: string, contentType = 'application/json', first = ''): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port(), '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (data: string) => (answer += data));
    // What is still under way when the service ends the connection, it refuses.
    socket.on('close', () => resolve(answer)).on('error', () => undefined);
    const head = `${target} HTTP/1.1\r\nhost: x\r\ncontent-type: ${contentType}\r\n`;
    socket.write(`${head}transfer-encoding: chunked\r\n\r\n${first}${'1\r\n \r\n'.repeat(50_000)}`);
  });
}

const attachment: Attachment = {
  id: 'ta-1',
  taskId: 't-1',
  key: 'k',
  type: 'json',
  value: JsonText.restore('{"2":1.0,"1":1e2}'),
  bytes: 17,
  createdBy: 'alice',
  createdAtMs: AT_MS,
  updatedAtMs: AT_MS,
  version: 8,
  op: 'b7b3e5a4-0000-4000-8000-000000000000',
};
const task: Task = {
  id: 't-1',
  organization: 'default',
  text: 'x',
  status: 'pending',
  priority: 50,
  metadata: JsonText.restore('{"b":1.0,"a":2}'),
  parentId: null,
  createdAtMs: AT_MS,
  createdBy: 'alice',
  updatedAtMs: AT_MS,
  revision: 1,
};
const ping = '{"jsonrpc":"2.0","method":"task.get","params":{"id":"t-1"},"id":1}';

describe('POST /rpc', () => {
  beforeEach(() => execute(GetTask).mockResolvedValue({ task, attachmentCount: 0 }));

  it('the status of every reply in JSON-RPC is 200, also of errors', async () => {
    const response = await post(ping);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    expect(await response.json()).toMatchObject({ result: { id: 't-1' }, id: 1 });
    expect((await post('[]')).status).toBe(200);
  });

  it('a message that needs no reply gets 204 and no body', async () => {
    const response = await post('{"jsonrpc":"2.0","method":"task.get","params":{"id":"t-1"}}');
    expect([response.status, await response.text()]).toEqual([204, '']);
    expect(execute(GetTask)).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['an empty body', ''],
    ['bytes that are not UTF-8', Buffer.concat([Buffer.from(`{"a":"`), Buffer.from([0xff]), Buffer.from('"}')])],
    ['half a message', ping.slice(0, 20)],
  ])('%s is a parse error', async (_name, body) => {
    const response = await post(body);
    expect([response.status, await response.json()]).toEqual([
      200,
      { jsonrpc: '2.0', error: { code: -32700, message: 'Parse error' }, id: null },
    ]);
  });

  it.each([
    'application/json',
    'Application/JSON; charset=UTF-8',
    'application/json;charset="utf-8"',
    'application/json-rpc',
    'application/jsonrequest',
    'application/vnd.api+json; version=1',
    'application/json; charset=utf8',
    'application/json; charset=latin1',
    'application/json; charset=',
    ' application/json ;x',
  ])('the content type %s is read', async (contentType) => {
    expect((await post(ping, { 'content-type': contentType })).status).toBe(200);
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'json',
    'text/json-x; application/json',
    ';',
  ])('the content type %s is refused with 415', async (contentType) => {
    const response = await post(ping, { 'content-type': contentType });
    expect(response.status).toBe(415);
    const data = { code: 'UNSUPPORTED_MEDIA_TYPE', reason: expect.stringContaining('application/json') as unknown };
    expect(await response.json()).toMatchObject({ error: { data }, id: null });
  });

  it('the text is read as UTF-8, whatever charset the content type names', async () => {
    const body = '{"jsonrpc":"2.0","method":"nothing","id":"ä😀"}';
    const response = await post(body, { 'content-type': 'application/json; charset=iso-8859-1' });
    expect(await response.json()).toMatchObject({ error: { code: -32601 }, id: 'ä😀' });
    const latin1 = Buffer.from('"\xe4"', 'latin1');
    const refused = await post(latin1, { 'content-type': 'application/json; charset=iso-8859-1' });
    expect(await refused.json()).toMatchObject({ error: { code: -32700 } });
  });

  it('a body without a content type, and a compressed one, are refused with 415', async () => {
    expect(
      (
        await raw(`POST /rpc HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${ping.length}\r\n\r\n${ping}`)
      ).slice(0, 12),
    ).toBe('HTTP/1.1 415');
    expect((await post(ping, { ...JSON_HEADERS, 'content-encoding': 'gzip' })).status).toBe(415);
    expect((await post(ping, { ...JSON_HEADERS, 'content-encoding': 'identity' })).status).toBe(200);
  });

  it('a body of MAX_BODY_BYTES is read, and one byte more is refused with 413', async () => {
    const ofLength = (bytes: number) => ping.padEnd(bytes, ' ');
    expect((await post(ofLength(MAX_BODY_BYTES))).status).toBe(200);
    const response = await post(ofLength(MAX_BODY_BYTES + 1));
    expect([response.status, await response.json()]).toEqual([
      413,
      {
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
      },
    ]);
  });

  it('a client that reads only after it has sent its whole body learns that the body is too large', async () => {
    const body = Buffer.alloc(32 * 1024 * 1024, 'x');
    const head = 'POST /rpc HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
    const announced = `${head}content-length: ${body.length}\r\n\r\n`;
    const chunked = `${head}transfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`;
    for (const [start, end] of [
      [announced, ''],
      [chunked, '\r\n0\r\n\r\n'],
    ] as const) {
      const answer = await new Promise((resolve, reject) => {
        const socket = connect(port(), '127.0.0.1').setEncoding('utf8').on('error', reject);
        socket.write(start);
        socket.write(body);
        socket.write(end, (error) => {
          if (error) return;
          socket.once('data', (data) => {
            resolve(data);
            socket.destroy();
          });
        });
      });
      expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    }
  });

  it('a body that comes in parts of one byte is refused long before its end', async () => {
    const answer = await answerToEndlessParts('POST /rpc');
    expect(answer).toMatch(/^HTTP\/1\.1 400 .*"INVALID_REQUEST".*too many parts/s);
  });

  it('a body that is too large ends the connection if the rest comes in parts of one byte', async () => {
    const tooLarge = `${(2 * MAX_BODY_BYTES).toString(16)}\r\n${' '.repeat(2 * MAX_BODY_BYTES)}\r\n`;
    await expect(answerToEndlessParts('POST /rpc', 'application/json', tooLarge)).resolves.not.toContain('HTTP/1.1 2');
  });

  it.each([
    ['DELETE /v1/tasks/t', 'application/json'],
    ['GET /v1/nothing', 'application/json'],
    ['GET /rpc', 'application/json'],
    ['POST /rpc', 'text/plain'],
    ['POST /nothing', 'application/json'],
    ['POST /%zz', 'application/json'],
  ])('a body in parts of one byte that nobody reads ends the connection: %s, %s', async (target, contentType) => {
    await expect(answerToEndlessParts(target, contentType)).resolves.not.toContain('HTTP/1.1 2');
  });

  it.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
    'the verb %s is refused with 405',
    async (method) => {
      const response = await fetch(url, { method });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    },
  );

  it('an unknown path gets 404 and JSON', async () => {
    const response = await fetch(url.replace('/rpc', '/other'), { method: 'POST', body: ping, headers: JSON_HEADERS });
    expect([response.status, await response.json()]).toMatchObject([404, { statusCode: 404 }]);
  });

  it('a connection serves many calls', async () => {
    const head = `POST /rpc HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${ping.length}\r\n`;
    const answers = await raw(`${head}\r\n${ping}`, `${head}\r\n${ping}`, `${head}connection: close\r\n\r\n${ping}`);
    expect(answers.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
  });

  it('the service survives input that is not HTTP, and bodies that break off', async () => {
    const head = 'POST /rpc HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
    expect(await raw('rubbish\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw(`${head}content-length: 5\r\ncontent-length: 6\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw(`${head}transfer-encoding: chunked\r\n\r\nnonsense\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(
      await raw(`${head}expect: 100-continue\r\nconnection: close\r\ncontent-length: ${ping.length}\r\n\r\n${ping}`),
    ).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
    await new Promise<void>((resolve) => {
      const aborted = httpRequest(url, { method: 'POST', headers: { ...JSON_HEADERS, 'content-length': 100 } });
      aborted.on('error', () => resolve()).on('close', () => resolve());
      aborted.write('{', () => aborted.destroy());
    });
    expect((await post(ping)).status).toBe(200);
  });

  it('a caller is named by its instance id', async () => {
    const callerOf = async (instanceId?: string) => {
      await post(ping, instanceId === undefined ? JSON_HEADERS : { ...JSON_HEADERS, 'x-instance-id': instanceId });
      return (execute(GetTask).mock.lastCall as unknown[])[1];
    };
    expect(await callerOf()).toEqual({ organization: 'default', name: 'replica-1' });
    expect(await callerOf('worker 7')).toEqual({ organization: 'default', name: 'worker 7' });
    expect(await callerOf(Buffer.from('Zoë').toString('latin1'))).toEqual({ organization: 'default', name: 'Zoë' });
    expect(await callerOf('x'.repeat(128))).toMatchObject({ name: 'x'.repeat(128) });
    expect(await callerOf('x'.repeat(129))).toMatchObject({ name: 'replica-1' });
    expect(await callerOf('')).toMatchObject({ name: 'replica-1' });
    expect(await callerOf('a\tb')).toMatchObject({ name: 'replica-1' });
  });
});

describe('shutdown', () => {
  it('a call in flight is finished and its connection closed; a new call is refused', async () => {
    let finish: (found: unknown) => void = () => undefined;
    const called = new Promise<void>((resolve) => {
      execute(GetTask).mockImplementation(() => {
        resolve();
        return new Promise((found) => (finish = found));
      });
    });
    const inFlight = post(ping);
    await called;
    lifecycle.stopping();

    const refused = await post(ping);
    expect([refused.status, refused.headers.get('connection')]).toEqual([503, 'close']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ error: { code: -32001, data: { retryable: true } }, id: null });

    let closed = false;
    const closing = strategy.close().then(() => (closed = true));
    await new Promise(setImmediate);
    expect(closed).toBe(false);
    finish({ task, attachmentCount: 0 });
    const answer = await inFlight;
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close']);
    await closing;
  });
});

it('what a call has read is held until it ends, also if its caller has hung up', async () => {
  const { bytes } = app.get(LoadShedder);
  const heldBytes = MAX_REPLY_BYTES / 4;
  const mostOfAnother = Math.floor(bytes.maxReplyBytes * 4 * (5 / 8));
  const hasRoomForAnother = () => {
    const another = bytes.open('another');
    const hasRoom = another.take(mostOfAnother);
    another.end();
    return hasRoom;
  };
  let finish: () => void = () => undefined;
  execute(GetAttachment).mockImplementation(async (...[, , room]) => {
    (room as Room).take(heldBytes);
    await new Promise<void>((resolve) => (finish = resolve));
    return { attachment };
  });
  const params = { taskId: 't-1', key: 'k' };
  const body = JSON.stringify({ jsonrpc: '2.0', method: 'task.get_attachment', params, id: 1 });
  const socket = await openConnection(url);
  socket.write(rawRequest(body));
  await until('the call has begun', () => execute(GetAttachment).mock.calls.length === 1);
  socket.destroy();
  const connections = promisify(app.getHttpServer().getConnections.bind(app.getHttpServer()));
  await until('the connection has closed', async () => (await connections()) === 0);
  expect(hasRoomForAnother()).toBe(false);
  finish();
  await until('the room is free again', hasRoomForAnother);
});

describe('results', () => {
  it('task.create_attachment returns the attachment without its body', async () => {
    execute(CreateAttachment).mockResolvedValue({ attachment, replaced: true });
    const params = { taskId: 't-1', key: 'k', type: 'json', value: null, ifVersion: 6 };
    expect((await call('task.create_attachment', params)).result).toEqual({
      id: 'ta-1',
      taskId: 't-1',
      key: 'k',
      type: 'json',
      createdAt: AT,
      version: 8,
      replaced: true,
    });
    expect(execute(CreateAttachment)).toHaveBeenCalledWith(
      { taskId: 't-1', key: 'k', type: 'json', value: JsonText.of(null), condition: { ifVersion: 6 } },
      { organization: 'default', name: 'replica-1' },
      expect.anything(),
    );
  });

  it('task.get_attachment returns the value as it was spelt', async () => {
    execute(GetAttachment).mockResolvedValue({ attachment: { ...attachment, expiresAtMs: AT_MS } });
    const response = await post(
      '{"jsonrpc":"2.0","method":"task.get_attachment","params":{"taskId":"t-1","key":"k"},"id":1}',
    );
    expect(await response.text()).toBe(
      `{"jsonrpc":"2.0","result":{"id":"ta-1","taskId":"t-1","key":"k","type":"json","value":{"2":1.0,"1":1e2},` +
        `"createdBy":"alice","createdAt":"${AT}","updatedAt":"${AT}","expiresAt":"${AT}","version":8},"id":1}`,
    );
  });

  it('a result that only one store knows of says that it is degraded', async () => {
    const degraded = true as const;
    execute(CreateAttachment).mockResolvedValue({ attachment, replaced: false, degraded });
    execute(GetAttachment).mockResolvedValue({ attachment, degraded });
    execute(DeleteAttachment).mockResolvedValue({ taskId: 't-1', key: 'k', deletedAtMs: AT_MS, degraded });
    const ref = { taskId: 't-1', key: 'k' };
    const put = { ...ref, type: 'json', value: null };
    expect((await call('task.create_attachment', put)).result).toMatchObject({ id: 'ta-1', degraded });
    expect((await call('task.get_attachment', ref)).result).toMatchObject({ id: 'ta-1', degraded });
    const deletion = { ...ref, deleted: true, deletedAt: AT, degraded };
    expect((await call('task.delete_attachment', ref)).result).toEqual(deletion);
  });

  it('task.list_attachments returns attachments with or without bodies', async () => {
    execute(ListAttachments).mockResolvedValue({ attachments: [attachment], totalCount: 3, hasMore: true });
    const member = { id: 'ta-1', taskId: 't-1', key: 'k', type: 'json', createdBy: 'alice', version: 8 };
    const listed = { ...member, createdAt: AT, updatedAt: AT };
    expect((await call('task.list_attachments', { taskId: 't-1' })).result).toEqual({
      attachments: [{ ...listed, value: { 2: 1, 1: 100 } }],
      totalCount: 3,
      hasMore: true,
    });
    execute(ListAttachments).mockResolvedValue({
      attachments: [{ ...attachment, value: undefined }],
      totalCount: 1,
      hasMore: false,
      degraded: true,
    });
    expect((await call('task.list_attachments', { taskId: 't-1', includeBodies: false })).result).toEqual({
      attachments: [{ ...listed, bytes: 17 }],
      totalCount: 1,
      hasMore: false,
      degraded: true,
    });
  });

  it('task.get_attachments_batch returns null for a missing attachment', async () => {
    execute(GetAttachmentsBatch).mockResolvedValue({ attachments: [null, attachment], degraded: true });
    const params = {
      requests: [
        { taskId: 't-1', key: 'a' },
        { taskId: 't-1', key: 'k' },
      ],
      allowMissing: true,
    };
    expect((await call('task.get_attachments_batch', params)).result).toMatchObject({
      attachments: [null, { key: 'k', version: 8 }],
      degraded: true,
    });
    expect(execute(GetAttachmentsBatch).mock.lastCall?.[0]).toEqual(params);
  });

  it('task.delete_attachment returns the time of the deletion', async () => {
    execute(DeleteAttachment).mockResolvedValue({ id: 'ta-1', taskId: 't-1', key: 'k', deletedAtMs: AT_MS });
    const { result } = await call('task.delete_attachment', { taskId: 't-1', key: 'k' });
    expect(result).toEqual({ id: 'ta-1', taskId: 't-1', key: 'k', deleted: true, deletedAt: AT });
  });

  it('task.create returns warnings only if there are any', async () => {
    const created = { id: 't-1', text: 'x', status: 'pending', priority: 50, metadata: { b: 1, a: 2 }, parentId: null };
    execute(CreateTask).mockResolvedValue({ task, warnings: [] });
    expect((await call('task.create', { text: 'x' })).result).toEqual({ ...created, createdAt: AT });
    execute(CreateTask).mockResolvedValue({ task, warnings: ['retired'] });
    expect((await call('task.create', { text: 'x' })).result).toEqual({
      ...created,
      createdAt: AT,
      warnings: ['retired'],
    });
  });

  it('task.get and task.list return whole tasks', async () => {
    const failed: Task = {
      ...task,
      status: 'failed',
      assignedTo: 'w',
      updatedBy: 'bob',
      completedAtMs: AT_MS,
      completedBy: 'w',
      error: JsonText.of({ reason: 'broken' }),
    };
    const whole = {
      id: 't-1',
      organization: 'default',
      text: 'x',
      status: 'failed',
      priority: 50,
      metadata: { b: 1, a: 2 },
      parentId: null,
      assignedTo: 'w',
      createdAt: AT,
      createdBy: 'alice',
      updatedAt: AT,
      updatedBy: 'bob',
      completedAt: AT,
      completedBy: 'w',
      error: { reason: 'broken' },
      attachmentCount: 2,
    };
    execute(GetTask).mockResolvedValue({ task: failed, attachmentCount: 2 });
    expect((await call('task.get', { id: 't-1' })).result).toEqual(whole);
    execute(ListTasks).mockResolvedValue({
      tasks: [{ task: failed, attachmentCount: 2 }],
      totalCount: 1,
      hasMore: false,
    });
    expect((await call('task.list')).result).toEqual({ tasks: [whole], totalCount: 1, hasMore: false });
  });

  it('task.update, task.complete, task.cancel and task.delete return what they changed', async () => {
    execute(UpdateTask).mockResolvedValue(task);
    const updated = { id: 't-1', text: 'x', status: 'pending', priority: 50, metadata: { b: 1, a: 2 } };
    const update = await call('task.update', { id: 't-1', updates: { text: 'x' } });
    expect(update.result).toEqual({ ...updated, createdAt: AT, updatedAt: AT });
    expect(execute(UpdateTask).mock.lastCall?.[0]).toEqual({ taskId: 't-1', updates: { text: 'x' } });

    execute(CompleteTask).mockResolvedValue({ ...task, status: 'completed', completedAtMs: AT_MS });
    const complete = await call('task.complete', { taskId: 't-1' });
    expect(complete.result).toEqual({ id: 't-1', status: 'completed', completedAt: AT });

    execute(CancelTask).mockResolvedValue({ ...task, status: 'cancelled', cancelledAtMs: AT_MS });
    expect((await call('task.cancel', { id: 't-1' })).result).toEqual({
      id: 't-1',
      status: 'cancelled',
      cancelledAt: AT,
    });

    execute(DeleteTask).mockResolvedValue({ taskId: 't-1', deletedAtMs: AT_MS });
    expect((await call('task.delete', { id: 't-1' })).result).toEqual({ id: 't-1', deleted: true, deletedAt: AT });
  });
});

describe('errors', () => {
  const ref = { taskId: 't-1', key: 'k' };
  const fail = async (useCase: { readonly name: string }, method: string, params: unknown, error: unknown) => {
    execute(useCase).mockRejectedValue(error);
    return (await call(method, params)).error;
  };

  it('a refusal names every wrong parameter', async () => {
    expect((await call('task.get_attachment', { taskId: 't-1', kez: 'k' })).error).toEqual({
      code: -32602,
      message: 'Invalid params',
      data: {
        code: 'INVALID_PARAMS',
        errors: [
          { field: 'kez', message: 'is not a parameter of this method, did you mean key?' },
          { field: 'key', message: 'must be a string of 1 to 100 characters' },
        ],
      },
    });
    expect((await call('task.get_attachment', ['t-1', 'k'])).error).toMatchObject({ code: -32602 });
    expect((await call('task.get_attachment')).error).toMatchObject({ data: { errors: [{}, {}] } });
  });

  it.each([
    [GetAttachment, 'task.get_attachment', ref, `Attachment with key 'k' not found for task t-1`],
    [DeleteAttachment, 'task.delete_attachment', ref, `Attachment 'k' not found for task t-1`],
    [GetAttachmentsBatch, 'task.get_attachments_batch', { requests: [ref] }, 'Attachment not found: t-1/k'],
  ])('the error for a missing attachment is the documented one, after %p', async (useCase, method, params, message) => {
    expect(await fail(useCase, method, params, notFound(ref))).toEqual({
      code: -32602,
      message,
      data: { code: 'ATTACHMENT_NOT_FOUND', taskId: 't-1', key: 'k' },
    });
  });

  it('the errors for a missing task and for an id in use are the documented ones', async () => {
    expect(await fail(GetTask, 'task.get', { id: 't-1' }, taskNotFound('t-1'))).toEqual({
      code: -32602,
      message: 'Task t-1 not found',
      data: { code: 'TASK_NOT_FOUND', taskId: 't-1' },
    });
    const exists = new DomainError({ kind: 'task-exists', taskId: 't-1' });
    expect(await fail(CreateTask, 'task.create', { id: 't-1', text: 'x' }, exists)).toEqual({
      code: -32005,
      message: 'Conflict',
      data: { code: 'TASK_EXISTS', taskId: 't-1', reason: expect.stringContaining('not used again') as unknown },
    });
  });

  it('a conflict names the current version, null if there is none', async () => {
    const params = { ...ref, type: 'text', content: 'x', ifVersion: 1 };
    for (const currentVersion of [2, null]) {
      const conflict = new DomainError({ kind: 'version-conflict', ...ref, currentVersion });
      expect(await fail(CreateAttachment, 'task.create_attachment', params, conflict)).toEqual({
        code: -32005,
        message: 'Conflict',
        data: { code: 'VERSION_CONFLICT', ...ref, currentVersion },
      });
    }
  });

  it('the error tells an unavailable store from a slow one and a broken one', async () => {
    const failed = (outcome: StoreError['outcome']) =>
      fail(
        GetAttachment,
        'task.get_attachment',
        ref,
        new StoreError('postgres', outcome, { cause: new Error('secret') }),
      );
    expect(await failed('unavailable')).toEqual({
      code: -32001,
      message: 'Service unavailable',
      data: { code: 'STORE_UNAVAILABLE', reason: 'Database unavailable', retryable: true },
    });
    expect(await failed('timeout')).toEqual({
      code: -32500,
      message: 'Failed to retrieve attachment',
      data: { code: 'TIMEOUT', taskId: 't-1', reason: 'Database timeout' },
    });
    expect(await failed('busy')).toEqual(await failed('timeout'));
    expect(await failed('failed')).toEqual({
      code: -32500,
      message: 'Failed to retrieve attachment',
      data: { code: 'STORE_FAILED', taskId: 't-1', reason: 'Database error' },
    });
  });

  it.each([
    [CreateAttachment, 'task.create_attachment', { ...ref, type: 'text', content: '' }, 'Failed to create attachment'],
    [ListAttachments, 'task.list_attachments', { taskId: 't-1' }, 'Failed to retrieve attachments'],
    [GetAttachmentsBatch, 'task.get_attachments_batch', { requests: [ref] }, 'Failed to retrieve attachments'],
    [DeleteAttachment, 'task.delete_attachment', ref, 'Failed to delete attachment'],
    [CreateTask, 'task.create', { text: 'x' }, 'Failed to create task'],
    [GetTask, 'task.get', { id: 't-1' }, 'Failed to retrieve task'],
    [UpdateTask, 'task.update', { id: 't-1', updates: { text: 'x' } }, 'Failed to update task'],
    [CompleteTask, 'task.complete', { taskId: 't-1' }, 'Failed to complete task'],
    [CancelTask, 'task.cancel', { id: 't-1' }, 'Failed to cancel task'],
    [ListTasks, 'task.list', {}, 'Failed to retrieve tasks'],
    [GetUsage, 'task.usage', {}, 'Failed to retrieve usage'],
    [DeleteTask, 'task.delete', { id: 't-1' }, 'Failed to delete task'],
  ])('the error for a store failure names what %p failed to do', async (useCase, method, params, message) => {
    expect(await fail(useCase, method, params, new StoreError('redis', 'timeout'))).toMatchObject({
      code: -32500,
      message,
      data: { code: 'TIMEOUT', reason: 'Cache timeout' },
    });
  });

  it('an unexpected error tells the caller nothing, and the log quotes nothing of the request', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation();
    const error = await fail(
      GetAttachment,
      'task.get_attachment',
      { taskId: 't-1', key: 'hush' },
      new TypeError('inside'),
    );
    expect(error).toEqual({ code: -32603, message: 'Internal error', data: { code: 'INTERNAL_ERROR' } });
    expect(logged).toHaveBeenCalledWith('inside', expect.stringContaining('TypeError'), IDS);
    expect(JSON.stringify(logged.mock.calls)).not.toContain('hush');
    logged.mockRestore();
  });

  it('the log says how a store failed, but quotes no message of the store', async () => {
    const logged = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
    const cause = Object.assign(new Error('quotes a value'), { code: '57P01' });
    await fail(GetTask, 'task.get', { id: 't-1' }, new StoreError('postgres', 'failed', { cause }));
    expect(logged).toHaveBeenCalledWith('task.get: postgres failed (57P01)', IDS);
    logged.mockRestore();
  });
});

describe('DELETE /v1/tasks/{task_id}', () => {
  const send = async (path = 't-1', init: RequestInit = {}) => {
    const response = await fetch(url.replace('/rpc', `/v1/tasks/${path}`), { method: 'DELETE', ...init });
    const text = await response.text();
    const { status, headers } = response;
    return { status, headers, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
  };
  const deleted = { taskId: 't-1', deletedAtMs: AT_MS };

  it('a deletion runs task.delete, and its reply has no body', async () => {
    execute(DeleteTask).mockResolvedValue(deleted);
    expect(await send()).toMatchObject({ status: 204, body: undefined });
    const caller = { organization: 'default', name: 'replica-1' };
    expect(execute(DeleteTask)).toHaveBeenCalledWith('t-1', caller);
  });

  it('a deletion counts as a call of task.delete, and its headers say how many calls are left', async () => {
    execute(DeleteTask).mockResolvedValue(deleted);
    const { headers: before } = await send();
    await call('task.delete', { id: 't-1' });
    execute(DeleteTask).mockRejectedValue(new TypeError('inside'));
    const { headers: after } = await send();
    const remaining = [before, after].map((headers) => Number(headers.get('x-ratelimit-remaining')));
    expect(remaining[0]).toBe((remaining[1] as number) + 2);
    expect(after.get('x-ratelimit-limit')).toBe('100');
  });

  it.each(['application/json', 'application/json; charset=latin1', 'text/csv', 'multipart/form-data; boundary=x'])(
    'a body of any length is ignored, with the content type %s',
    async (contentType) => {
      execute(DeleteTask).mockResolvedValue(deleted);
      for (const body of ['', '{', 'x'.repeat(2 * MAX_BODY_BYTES)]) {
        expect((await send('t-1', { body, headers: { 'content-type': contentType } })).status).toBe(204);
      }
    },
  );

  it.each([
    ['', ''],
    ['a%20b', ''],
    ['a/b', ''],
    ['a%2Fb', ''],
    ['%ZZ', ''],
    ['x'.repeat(129), ', is 129 long'],
  ])('the malformed id %j is refused with 422', async (id, fact) => {
    const { status, body } = await send(id);
    const problem = `must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ -${fact}`;
    const detail = [{ loc: ['path', 'task_id'], msg: problem, type: 'value_error' }];
    expect([status, body]).toEqual([422, { detail }]);
    expect(execute(DeleteTask)).not.toHaveBeenCalled();
  });

  it('a task of another organisation gets 403, a missing one 404', async () => {
    execute(DeleteTask).mockRejectedValue(taskNotFound('t-1'));
    execute(IsForeignTask).mockResolvedValueOnce(true).mockResolvedValueOnce(false);
    const foreign = { status: 403, body: { detail: 'Forbidden: task belongs to a different organization' } };
    expect(await send()).toMatchObject(foreign);
    expect(await send()).toMatchObject({ status: 404, body: { detail: 'Task not found' } });
  });

  it('a store failure gets 503, also in the search for foreign tasks, and an unexpected error 500', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation();
    const unavailable = { status: 503, body: { detail: 'Service unavailable' } };
    for (const outcome of ['unavailable', 'timeout', 'busy', 'refused', 'failed'] as const) {
      execute(DeleteTask).mockRejectedValueOnce(new StoreError('postgres', outcome));
      const answer = await send();
      expect(answer).toMatchObject(unavailable);
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    execute(DeleteTask).mockRejectedValueOnce(taskNotFound('t-1'));
    execute(IsForeignTask).mockRejectedValueOnce(new StoreError('postgres', 'unavailable'));
    expect(await send()).toMatchObject(unavailable);
    execute(DeleteTask).mockRejectedValueOnce(new TypeError('inside'));
    expect(await send()).toMatchObject({ status: 500, body: { detail: 'Internal server error' } });
    expect(logged).toHaveBeenCalledWith('inside', expect.stringContaining('TypeError'), IDS);
    logged.mockRestore();
  });

  it('a deletion in flight is finished; a new one is refused once the process stops', async () => {
    let finish: (result: unknown) => void = () => undefined;
    const called = new Promise<void>((resolve) => {
      execute(DeleteTask).mockImplementation(() => {
        resolve();
        return new Promise((result) => (finish = result));
      });
    });
    const inFlight = send();
    await called;
    lifecycle.stopping();
    const refused = await send();
    expect(refused).toMatchObject({ status: 503, body: { detail: 'Service unavailable' } });
    expect([refused.headers.get('connection'), refused.headers.get('retry-after')]).toEqual(['close', '1']);
    let closed = false;
    const closing = strategy.close().then(() => (closed = true));
    await new Promise(setImmediate);
    expect(closed).toBe(false);
    finish(deleted);
    expect((await inFlight).status).toBe(204);
    await closing;
  });
});

describe('GET /events', () => {
  const open = (query = '', method = 'GET') => fetch(url.replace('/rpc', `/events${query}`), { method });

  it('an event stream has the caller that a method would have', async () => {
    execute(FollowEvents).mockResolvedValue({ events: [], position: '7', more: false });
    const response = await open('?taskId=t-1', 'HEAD');
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    expect(response.headers.has('x-ratelimit-limit')).toBe(false);
    const caller = { organization: 'default', name: 'replica-1' };
    expect(execute(FollowEvents)).toHaveBeenCalledWith({ taskId: 't-1', after: undefined }, caller);
  });

  it('a refusal names every wrong parameter of the query', async () => {
    const response = await open('?taskId=a%20b&since=1');
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { detail: [{ loc: ['query', 'since'] }, { loc: ['query', 'taskId'], type: 'value_error' }] },
    ]);
  });

  it('a database failure gets 503, and an unexpected error 500', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation();
    execute(FollowEvents).mockRejectedValueOnce(new StoreError('postgres', 'failed'));
    const failed = await open();
    expect([failed.status, failed.headers.get('retry-after')]).toEqual([503, '1']);
    execute(FollowEvents).mockRejectedValueOnce(new TypeError('inside'));
    const response = await open();
    expect([response.status, await response.json()]).toEqual([500, { detail: 'Internal server error' }]);
    expect(logged).toHaveBeenCalledWith('inside', expect.stringContaining('TypeError'), IDS);
    logged.mockRestore();
  });
});
