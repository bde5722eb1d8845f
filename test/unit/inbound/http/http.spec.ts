import { connect, type AddressInfo } from 'node:net';
import { request as httpRequest } from 'node:http';
import { Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { ThrottlerModule } from '@nestjs/throttler';
import { Registry } from 'prom-client';
import { notFound, type Attachment } from '../../../../src/core/domain/attachment';
import { DomainError } from '../../../../src/core/domain/domain-error';
import { JsonText } from '../../../../src/core/domain/json-text';
import { taskNotFound, type Task } from '../../../../src/core/domain/task';
import { StoreError } from '../../../../src/core/ports/store-error';
import { CoreSettings } from '../../../../src/core/ports/core-settings';
import { CancelTask } from '../../../../src/core/use-cases/tasks/cancel-task';
import { CompleteTask } from '../../../../src/core/use-cases/tasks/complete-task';
import { CreateAttachment } from '../../../../src/core/use-cases/attachments/create-attachment';
import { CreateTask } from '../../../../src/core/use-cases/tasks/create-task';
import { DeleteAttachment } from '../../../../src/core/use-cases/attachments/delete-attachment';
import { DeleteTask } from '../../../../src/core/use-cases/tasks/delete-task';
import { GetAttachment } from '../../../../src/core/use-cases/attachments/get-attachment';
import { GetAttachmentsBatch } from '../../../../src/core/use-cases/attachments/get-attachments-batch';
import { GetTask } from '../../../../src/core/use-cases/tasks/get-task';
import { ListAttachments } from '../../../../src/core/use-cases/attachments/list-attachments';
import { ListTasks } from '../../../../src/core/use-cases/tasks/list-tasks';
import { UpdateTask } from '../../../../src/core/use-cases/tasks/update-task';
import { Authenticator } from '../../../../src/inbound/auth/authenticator';
import { Lifecycle } from '../../../../src/inbound/health/lifecycle';
import { JsonRpcHttpStrategy } from '../../../../src/inbound/http/json-rpc-http.strategy';
import { AttachmentsRpc } from '../../../../src/inbound/methods/attachments.rpc';
import { CallDurations } from '../../../../src/inbound/json-rpc/call-durations';
import { LoadShedder } from '../../../../src/inbound/load/load-shedder';
import { rateLimitOptions } from '../../../../src/inbound/methods/rate-limit.guard';
import { RateLimitRules } from '../../../../src/inbound/methods/rate-limit-rules';
import { TasksRpc } from '../../../../src/inbound/methods/tasks.rpc';
import { MemoryRateLimits } from '../../../../src/outbound/memory/memory-rate-limits';

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
  DeleteTask,
];
const executes = new Map(useCases.map((useCase) => [useCase.name, jest.fn<Promise<unknown>, unknown[]>()]));
const execute = (useCase: { readonly name: string }) =>
  executes.get(useCase.name) as jest.Mock<Promise<unknown>, unknown[]>;

const unlimited = new RateLimitRules(0, new Map());

@Module({
  imports: [ThrottlerModule.forRoot(rateLimitOptions(unlimited, new MemoryRateLimits({ maxWindows: 1000 })))],
  controllers: [AttachmentsRpc, TasksRpc],
  providers: [
    { provide: CoreSettings, useValue: new CoreSettings('replica-1', 1000, 1000) },
    ...useCases.map((useCase) => ({ provide: useCase, useValue: { execute: execute(useCase) } })),
  ],
})
class TestModule {}

const MAX_BODY_BYTES = 4096;
const JSON_HEADERS = { 'content-type': 'application/json' };
const AT_MS = Date.UTC(2025, 0, 19, 11);
const AT = '2025-01-19T11:00:00.000Z';

let app: NestFastifyApplication;
let lifecycle: Lifecycle;
let strategy: JsonRpcHttpStrategy;
let url: string;

beforeEach(async () => {
  for (const one of executes.values()) one.mockReset();
  lifecycle = new Lifecycle();
  lifecycle.started();
  const adapter = new FastifyAdapter();
  app = await NestFactory.create<NestFastifyApplication>(TestModule, adapter, { bodyParser: false, logger: false });
  strategy = new JsonRpcHttpStrategy(
    adapter.getInstance(),
    { maxBodyBytes: MAX_BODY_BYTES },
    new Authenticator({}, 'replica-1'),
    lifecycle,
    new LoadShedder({ maxInFlight: 100, maxEventLoopDelayMs: 10_000 }),
    new CallDurations(new Registry()),
  );
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

  it('answers 200 with JSON, errors included', async () => {
    const response = await post(ping);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    expect(await response.json()).toMatchObject({ result: { id: 't-1' }, id: 1 });
    expect((await post('[]')).status).toBe(200);
  });

  it('answers 204 without a body when there is nothing to reply', async () => {
    const response = await post('{"jsonrpc":"2.0","method":"task.get","params":{"id":"t-1"}}');
    expect([response.status, await response.text()]).toEqual([204, '']);
    expect(execute(GetTask)).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['an empty body', ''],
    ['bytes that are not UTF-8', Buffer.concat([Buffer.from(`{"a":"`), Buffer.from([0xff]), Buffer.from('"}')])],
    ['half a message', ping.slice(0, 20)],
  ])('takes %s for a parse error', async (_name, body) => {
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
  ])('reads %s', async (contentType) => {
    expect((await post(ping, { 'content-type': contentType })).status).toBe(200);
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'application/json; charset=latin1',
    'application/json; charset=utf-16',
    'json',
    ';',
  ])('refuses %s with 415', async (contentType) => {
    const response = await post(ping, { 'content-type': contentType });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ error: { data: { code: 'UNSUPPORTED_MEDIA_TYPE' } }, id: null });
  });

  it('refuses a body without a content type, and a compressed one, with 415', async () => {
    expect(
      (
        await raw(`POST /rpc HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${ping.length}\r\n\r\n${ping}`)
      ).slice(0, 12),
    ).toBe('HTTP/1.1 415');
    expect((await post(ping, { ...JSON_HEADERS, 'content-encoding': 'gzip' })).status).toBe(415);
    expect((await post(ping, { ...JSON_HEADERS, 'content-encoding': 'identity' })).status).toBe(200);
  });

  it('takes a body of MAX_BODY_BYTES, and refuses one byte more with 413', async () => {
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
          data: { code: 'BODY_TOO_LARGE', maxBodyBytes: MAX_BODY_BYTES },
        },
        id: null,
      },
    ]);
  });

  it('tells even a client that reads nothing before it has sent its whole body that it is too large', async () => {
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

  it.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])('refuses %s with 405', async (method) => {
    const response = await fetch(url, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
  });

  it('answers unknown paths with 404 and JSON', async () => {
    const response = await fetch(url.replace('/rpc', '/other'), { method: 'POST', body: ping, headers: JSON_HEADERS });
    expect([response.status, await response.json()]).toMatchObject([404, { statusCode: 404 }]);
  });

  it('keeps connections open', async () => {
    const head = `POST /rpc HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${ping.length}\r\n`;
    const answers = await raw(`${head}\r\n${ping}`, `${head}\r\n${ping}`, `${head}connection: close\r\n\r\n${ping}`);
    expect(answers.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
  });

  it('survives what is not HTTP, and bodies that break off', async () => {
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

  it('knows the caller by its instance id', async () => {
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
  it('finishes what is in flight, closes its connection, and refuses what is new', async () => {
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

describe('results', () => {
  it('task.create_attachment', async () => {
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
    );
  });

  it('task.get_attachment, its value as it was spelt', async () => {
    execute(GetAttachment).mockResolvedValue({ attachment: { ...attachment, expiresAtMs: AT_MS } });
    const response = await post(
      '{"jsonrpc":"2.0","method":"task.get_attachment","params":{"taskId":"t-1","key":"k"},"id":1}',
    );
    expect(await response.text()).toBe(
      `{"jsonrpc":"2.0","result":{"id":"ta-1","taskId":"t-1","key":"k","type":"json","value":{"2":1.0,"1":1e2},` +
        `"createdBy":"alice","createdAt":"${AT}","updatedAt":"${AT}","expiresAt":"${AT}","version":8},"id":1}`,
    );
  });

  it('of writes and reads that only one store knows of, say that they are degraded', async () => {
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

  it('task.list_attachments, with and without bodies', async () => {
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

  it('task.get_attachments_batch, null for what is missing', async () => {
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

  it('task.delete_attachment', async () => {
    execute(DeleteAttachment).mockResolvedValue({ id: 'ta-1', taskId: 't-1', key: 'k', deletedAtMs: AT_MS });
    const { result } = await call('task.delete_attachment', { taskId: 't-1', key: 'k' });
    expect(result).toEqual({ id: 'ta-1', taskId: 't-1', key: 'k', deleted: true, deletedAt: AT });
  });

  it('task.create, with warnings only when there are any', async () => {
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

  it('task.get and task.list, whole tasks', async () => {
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

  it('task.update, task.complete, task.cancel and task.delete', async () => {
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

  it('names every wrong parameter', async () => {
    expect((await call('task.get_attachment', { taskId: 't-1', kez: 'k' })).error).toEqual({
      code: -32602,
      message: 'Invalid params',
      data: {
        code: 'INVALID_PARAMS',
        errors: [
          { field: 'kez', message: 'is not a parameter of this method' },
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
  ])('says that an attachment is missing, after %p', async (useCase, method, params, message) => {
    expect(await fail(useCase, method, params, notFound(ref))).toEqual({
      code: -32602,
      message,
      data: { code: 'ATTACHMENT_NOT_FOUND', taskId: 't-1', key: 'k' },
    });
  });

  it('says that a task is missing, or taken', async () => {
    expect(await fail(GetTask, 'task.get', { id: 't-1' }, taskNotFound('t-1'))).toEqual({
      code: -32602,
      message: 'Task t-1 not found',
      data: { code: 'TASK_NOT_FOUND', taskId: 't-1' },
    });
    const exists = new DomainError({ kind: 'task-exists', taskId: 't-1' });
    expect(await fail(CreateTask, 'task.create', { id: 't-1', text: 'x' }, exists)).toEqual({
      code: -32005,
      message: 'Conflict',
      data: { code: 'TASK_EXISTS', taskId: 't-1' },
    });
  });

  it('says which version is in the way, null where there is none', async () => {
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

  it('tells a store that is away from one that is slow and one that is broken', async () => {
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
    [DeleteTask, 'task.delete', { id: 't-1' }, 'Failed to delete task'],
  ])('says what a store kept %p from doing', async (useCase, method, params, message) => {
    expect(await fail(useCase, method, params, new StoreError('redis', 'timeout'))).toMatchObject({
      code: -32500,
      message,
      data: { code: 'TIMEOUT', reason: 'Cache timeout' },
    });
  });

  it('tells callers nothing of an unexpected error, and logs nothing of what they sent', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation();
    const error = await fail(
      GetAttachment,
      'task.get_attachment',
      { taskId: 't-1', key: 'hush' },
      new TypeError('inside'),
    );
    expect(error).toEqual({ code: -32603, message: 'Internal error', data: { code: 'INTERNAL_ERROR' } });
    expect(logged).toHaveBeenCalledWith('inside', expect.stringContaining('TypeError'));
    expect(JSON.stringify(logged.mock.calls)).not.toContain('hush');
    logged.mockRestore();
  });

  it('logs why a store failed, but not what the store said of it', async () => {
    const logged = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
    const cause = Object.assign(new Error('quotes a value'), { code: '57P01' });
    await fail(GetTask, 'task.get', { id: 't-1' }, new StoreError('postgres', 'failed', { cause }));
    expect(logged).toHaveBeenCalledWith('task.get: postgres failed (57P01)');
    logged.mockRestore();
  });
});
