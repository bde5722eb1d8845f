import { Logger } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { AppModule } from '../../../src/app/app.module';
import { loadConfig } from '../../../src/app/config';
import { AttachmentStore } from '../../../src/core/ports/attachment-store';
import { ExpiredAttachmentStore } from '../../../src/core/ports/expired-attachment-store';
import { Outbox } from '../../../src/core/ports/outbox';
import { TaskStore } from '../../../src/core/ports/task-store';
import { JsonRpcHttpStrategy } from '../../../src/inbound/http/json-rpc-http.strategy';
import { MemoryAttachmentStore } from '../../../src/outbound/memory/memory-attachment-store';
import { MemoryDatabase } from '../../../src/outbound/memory/memory-database';
import { MemoryExpiredAttachmentStore } from '../../../src/outbound/memory/memory-expired-attachment-store';
import { MemoryOutbox } from '../../../src/outbound/memory/memory-outbox';
import { MemoryTaskStore } from '../../../src/outbound/memory/memory-task-store';

/** No server listens there. */
const DATABASE_URL = 'postgres://127.0.0.1:1/none';

describe('AppModule', () => {
  const database = new MemoryDatabase();
  let app: NestFastifyApplication;

  beforeAll(async () => {
    Logger.overrideLogger(false);
    const service = await AppModule.register(loadConfig({ DATABASE_URL }));
    const testing = await Test.createTestingModule({ imports: [service] })
      .overrideProvider(AttachmentStore)
      .useValue(new MemoryAttachmentStore(database))
      .overrideProvider(TaskStore)
      .useValue(new MemoryTaskStore(database))
      .overrideProvider(ExpiredAttachmentStore)
      .useValue(new MemoryExpiredAttachmentStore(database))
      .overrideProvider(Outbox)
      .useValue(new MemoryOutbox(database, { nowMs: () => Date.now() }))
      .compile();
    app = testing.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { bodyParser: false });
    app.connectMicroservice({ strategy: app.get(JsonRpcHttpStrategy) }, { inheritAppConfig: true });
    await app.init();
    await app.startAllMicroservices();
  });
  afterAll(() => app?.close());

  async function call(method: string, params: object): Promise<unknown> {
    const payload = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const headers = { 'content-type': 'application/json' };
    const { body } = await app.inject({ method: 'POST', url: '/rpc', headers, payload });
    return JSON.parse(body);
  }

  it('serves calls from the stores that override those of the configuration', async () => {
    const attachment = { taskId: 'task-1', key: 'a', type: 'text', content: 'x' };
    expect(await call('task.create', { id: 'task-1', text: 'a task' })).toMatchObject({ result: { id: 'task-1' } });
    expect(await call('task.create_attachment', attachment)).toMatchObject({ result: { replaced: false } });
    expect(await call('task.get_attachment', { taskId: 'task-1', key: 'a' })).toMatchObject({ result: attachment });
    expect(database.events.map(({ type }) => type)).toEqual(['task.created', 'task.attachment_created']);
  });

  it('has no paths for operators unless they have keys', async () => {
    for (const headers of [{}, { 'x-operator-key': '' }]) {
      expect((await app.inject({ method: 'GET', url: '/admin/status', headers })).statusCode).toBe(404);
    }
  });

  it('deletes a task over REST in the overriding stores', async () => {
    const { statusCode } = await app.inject({ method: 'DELETE', url: '/v1/tasks/task-1' });
    expect(statusCode).toBe(204);
    expect(database.task('task-1')).toBeUndefined();
  });
});
