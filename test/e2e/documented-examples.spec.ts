import { nextMillisecond, until } from '../support/poll';
import type { Members, RpcReply, Service } from '../support/service';
import { openOnServers, SETUPS, withPostgres, withRedis, type Servers, type Setup } from '../support/setups';
import { ATTACHMENT_ID, ISO_TIME, VERSION, type WireAttachment } from '../support/wire-values';

const TASK = 't-1234567890';

const ANALYSIS = {
  complexity: 'high',
  estimatedHours: 8,
  dependencies: ['auth', 'database'],
  risks: ['Database migration required', 'Potential downtime during deployment'],
};
const NOTES =
  '## Implementation Details\n\n- Use Redis for caching query results\n- Implement rate limiting on API endpoints\n' +
  '- Add indexes on frequently queried columns\n\n### Performance Targets\n- < 100ms average response time\n' +
  '- Support 1000 concurrent users';
const GUIDE = 'https://docs.example.com/database-optimization-guide';

const CREATE_JSON = {
  jsonrpc: '2.0',
  method: 'task.create_attachment',
  params: { taskId: TASK, key: 'analysis', type: 'json', value: ANALYSIS },
  id: 'req-009',
};
const CREATE_MARKDOWN = {
  jsonrpc: '2.0',
  method: 'task.create_attachment',
  params: { taskId: TASK, key: 'implementation_notes', type: 'markdown', content: NOTES },
  id: 'req-010',
};
const CREATE_URL = {
  jsonrpc: '2.0',
  method: 'task.create_attachment',
  params: { taskId: TASK, key: 'reference_doc', type: 'url', url: GUIDE },
  id: 'req-011',
};
const CREATE_BINARY = {
  jsonrpc: '2.0',
  method: 'task.create_attachment',
  params: { taskId: TASK, key: 'performance_report', type: 'binary', size: 2048576, mimeType: 'application/pdf' },
  id: 'req-011b',
};
const GET = {
  jsonrpc: '2.0',
  method: 'task.get_attachment',
  params: { taskId: TASK, key: 'analysis' },
  id: 'req-012',
};
const DELETE = {
  jsonrpc: '2.0',
  method: 'task.delete_attachment',
  params: { taskId: TASK, key: 'analysis' },
  id: 'req-012',
};
const DELETE_GIT = {
  jsonrpc: '2.0',
  method: 'task.delete_attachment',
  params: { taskId: TASK, key: 'git-commit-abc123d' },
  id: 'req-013',
};
const LIST = { jsonrpc: '2.0', method: 'task.list_attachments', params: { taskId: TASK }, id: 'req-013' };
const LIST_JSON = {
  jsonrpc: '2.0',
  method: 'task.list_attachments',
  params: { taskId: TASK, type: 'json', limit: 10, offset: 0 },
  id: 'req-014',
};

const WRITTEN = { createdBy: 'instance-1', createdAt: ISO_TIME, updatedAt: ISO_TIME, version: VERSION };
const STORED = {
  analysis: { id: ATTACHMENT_ID, taskId: TASK, key: 'analysis', type: 'json', value: ANALYSIS, ...WRITTEN },
  notes: {
    id: ATTACHMENT_ID,
    taskId: TASK,
    key: 'implementation_notes',
    type: 'markdown',
    content: NOTES,
    ...WRITTEN,
  },
  guide: { id: ATTACHMENT_ID, taskId: TASK, key: 'reference_doc', type: 'url', url: GUIDE, ...WRITTEN },
  report: {
    id: ATTACHMENT_ID,
    taskId: TASK,
    key: 'performance_report',
    type: 'binary',
    size: 2048576,
    mimeType: 'application/pdf',
    ...WRITTEN,
  },
};

describe.each(SETUPS)('the documented examples, $name', ({ open }) => {
  let setup: Setup;
  let service: Service;

  beforeAll(async () => {
    setup = await open();
    ({ service } = setup);
  });
  afterAll(() => setup?.close());

  const send = async (request: object, headers?: Record<string, string>): Promise<RpcReply> => {
    const reply = await service.post(JSON.stringify(request), headers);
    expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    return JSON.parse(reply.text) as RpcReply;
  };

  /** Creates the four documented attachments, one after the other. */
  const createAll = async () => {
    for (const request of [CREATE_JSON, CREATE_MARKDOWN, CREATE_URL, CREATE_BINARY]) {
      await nextMillisecond();
      await send(request);
    }
  };

  it.each([
    ['create', CREATE_JSON],
    ['get', GET],
    ['list', LIST],
    ['delete', DELETE],
  ])('%s fails as documented if the task is missing', async (_, request) => {
    expect(await send(request)).toStrictEqual({
      jsonrpc: '2.0',
      error: { code: -32602, message: `Task ${TASK} not found`, data: { taskId: TASK, code: 'TASK_NOT_FOUND' } },
      id: request.id,
    });
  });

  describe('with an existing task', () => {
    beforeEach(async () => {
      await service.rpc('task.create', { id: TASK, text: 'the documented task' });
      const { attachments } = await service.result<{ attachments: WireAttachment[] }>('task.list_attachments', {
        taskId: TASK,
      });
      for (const { key } of attachments) await service.result('task.delete_attachment', { taskId: TASK, key });
    });

    it.each([
      ['JSON', CREATE_JSON],
      ['markdown', CREATE_MARKDOWN],
      ['URL', CREATE_URL],
      ['binary', CREATE_BINARY],
    ])('create returns the documented result for a %s attachment', async (_, request) => {
      const { key, type } = request.params;
      const created = { id: ATTACHMENT_ID, taskId: TASK, key, type, createdAt: ISO_TIME, version: VERSION };
      expect(await send(request)).toStrictEqual({
        jsonrpc: '2.0',
        result: { ...created, replaced: false },
        id: request.id,
      });
    });

    it.each([
      ['JSON', CREATE_JSON, STORED.analysis],
      ['markdown', CREATE_MARKDOWN, STORED.notes],
      ['URL', CREATE_URL, STORED.guide],
      ['binary', CREATE_BINARY, STORED.report],
    ])('get returns the documented %s attachment', async (_, request, stored) => {
      const created = (await send(request)).result as Members;
      const reply = await send({ ...GET, params: { taskId: TASK, key: request.params.key } });
      const { id, version, createdAt } = created;
      expect(reply).toStrictEqual({
        jsonrpc: '2.0',
        result: { ...stored, id, version, createdAt, updatedAt: createdAt },
        id: 'req-012',
      });
      expect(Object.keys(reply.result as Members)).toEqual(Object.keys(stored));
    });

    it('get fails as documented if the attachment is missing', async () => {
      expect(await send(GET)).toStrictEqual({
        jsonrpc: '2.0',
        error: {
          code: -32602,
          message: `Attachment with key 'analysis' not found for task ${TASK}`,
          data: { taskId: TASK, key: 'analysis', code: 'ATTACHMENT_NOT_FOUND' },
        },
        id: 'req-012',
      });
    });

    it('list returns all attachments', async () => {
      await createAll();
      expect(await send(LIST)).toStrictEqual({
        jsonrpc: '2.0',
        result: {
          attachments: [STORED.analysis, STORED.notes, STORED.guide, STORED.report],
          totalCount: 4,
          hasMore: false,
        },
        id: 'req-013',
      });
    });

    it('list returns the attachments of one type', async () => {
      await createAll();
      expect(await send(LIST_JSON)).toStrictEqual({
        jsonrpc: '2.0',
        result: { attachments: [STORED.analysis], totalCount: 1, hasMore: false },
        id: 'req-014',
      });
    });

    it.each([
      ['JSON attachments only', { taskId: TASK, type: 'json' }, [STORED.analysis]],
      ['the first page', { taskId: TASK, limit: 20, offset: 0 }, Object.values(STORED)],
      ['the documentation', { taskId: TASK, type: 'markdown' }, [STORED.notes]],
    ])('list returns %s', async (_, params, attachments) => {
      await createAll();
      expect((await send({ ...LIST, params })).result).toStrictEqual({
        attachments,
        totalCount: attachments.length,
        hasMore: false,
      });
    });

    it('list returns no attachments if the task has none', async () => {
      expect(await send(LIST)).toStrictEqual({
        jsonrpc: '2.0',
        result: { attachments: [], totalCount: 0, hasMore: false },
        id: 'req-013',
      });
    });

    it.each([
      ['an attachment', CREATE_JSON, DELETE],
      [
        'a git attachment',
        { ...CREATE_JSON, params: { ...CREATE_JSON.params, key: 'git-commit-abc123d' } },
        DELETE_GIT,
      ],
    ])('delete removes %s', async (_, create, request) => {
      const { id } = (await send(create)).result as Members;
      const { key } = request.params;
      expect(await send(request)).toStrictEqual({
        jsonrpc: '2.0',
        result: { id, taskId: TASK, key, deleted: true, deletedAt: ISO_TIME },
        id: request.id,
      });
      expect((await send({ ...GET, params: { taskId: TASK, key } })).error?.code).toBe(-32602);
    });

    it('delete fails as documented if the attachment is missing', async () => {
      expect(await send(DELETE)).toStrictEqual({
        jsonrpc: '2.0',
        error: {
          code: -32602,
          message: `Attachment 'analysis' not found for task ${TASK}`,
          data: { taskId: TASK, key: 'analysis', code: 'ATTACHMENT_NOT_FOUND' },
        },
        id: 'req-012',
      });
    });

    it('get returns the calling instance as createdBy', async () => {
      await send(CREATE_JSON, { 'x-instance-id': 'worker-7' });
      expect((await send(GET)).result).toMatchObject({ createdBy: 'worker-7' });
    });
  });
});

describe('the documented storage', () => {
  let setup: Setup;
  let servers: Servers;
  let attachment: WireAttachment;

  beforeAll(async () => {
    setup = await openOnServers();
    servers = setup.servers as Servers;
    await setup.service.result('task.create', { id: TASK, text: 'the documented task' });
    await setup.service.post(JSON.stringify(CREATE_JSON));
    // A replica that has just started believes Redis, and fills it, only after the first turns of the projection.
    attachment = await until('the list in Redis', async () => {
      const { result } = JSON.parse((await setup.service.post(JSON.stringify(LIST))).text) as {
        result: { attachments: [WireAttachment] };
      };
      const isFilled = await withRedis(servers.redis.url, (redis) => redis.exists(`cb:task:${TASK}:attachments`));
      return isFilled ? result.attachments[0] : undefined;
    });
  });
  afterAll(() => setup?.close());

  it('in Redis is a hash of the documented members that expires after an hour', async () => {
    const name = `cb:task:${TASK}:attachment:analysis`;
    const { fields, ttlSeconds } = await withRedis(servers.redis.url, async (redis) => ({
      fields: await redis.hgetall(name),
      ttlSeconds: await redis.ttl(name),
    }));
    const { version, ...members } = attachment;
    expect(fields).toEqual({
      ...members,
      value: JSON.stringify(ANALYSIS),
      version: String(version),
      op: expect.any(String) as unknown,
    });
    expect(ttlSeconds).toBeLessThanOrEqual(3600);
    expect(ttlSeconds).toBeGreaterThan(3500);
  });

  it('in Redis has an index by creation time that expires after an hour', async () => {
    const name = `cb:task:${TASK}:attachments`;
    const { members, ttlSeconds } = await withRedis(servers.redis.url, async (redis) => ({
      members: await redis.zrange(name, 0, -1, 'WITHSCORES'),
      ttlSeconds: await redis.ttl(name),
    }));
    expect(members).toEqual(['analysis', String(Date.parse(attachment.createdAt))]);
    expect(ttlSeconds).toBeLessThanOrEqual(3600);
    expect(ttlSeconds).toBeGreaterThan(3500);
  });

  it('in PostgreSQL has the documented tables, with a value of type json', async () => {
    await withPostgres(servers.databaseUrl, async (client) => {
      const tasks = await client.query('SELECT text, status, created_by FROM tasks WHERE id = $1', [TASK]);
      expect(tasks.rows).toEqual([{ text: 'the documented task', status: 'pending', created_by: 'instance-1' }]);
      const attachments = await client.query(
        `SELECT id, key, type, pg_typeof(value)::text AS value_type, value::text AS value_text, created_by, created_at
         FROM task_attachments WHERE task_id = $1`,
        [TASK],
      );
      expect(attachments.rows).toEqual([
        {
          id: attachment.id,
          key: 'analysis',
          type: 'json',
          value_type: 'json',
          value_text: JSON.stringify(ANALYSIS),
          created_by: 'instance-1',
          created_at: new Date(attachment.createdAt),
        },
      ]);
    });
  });
});
