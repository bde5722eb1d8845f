import { Client, ProtocolError, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Logger } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import fc from 'fast-check';
import { AppModule } from '../../../src/app/app.module';
import { loadConfig } from '../../../src/app/config';
import { packageVersion } from '../../../src/app/package-version';
import { AttachmentStore } from '../../../src/core/ports/attachment-store';
import { ExpiredAttachmentStore } from '../../../src/core/ports/expired-attachment-store';
import { Outbox } from '../../../src/core/ports/outbox';
import { TaskStore } from '../../../src/core/ports/task-store';
import type { ApiKeys } from '../../../src/inbound/auth/api-keys';
import { Authenticator, type AuthenticationMeans } from '../../../src/inbound/auth/authenticator';
import type { AccessTokens } from '../../../src/inbound/auth/access-tokens';
import { AuthenticationFailure, isRole } from '../../../src/inbound/auth/credential';
import { JsonRpcHttpStrategy } from '../../../src/inbound/http/json-rpc-http.strategy';
import { LoadShedder } from '../../../src/inbound/load/load-shedder';
import { MemoryAttachmentStore } from '../../../src/outbound/memory/memory-attachment-store';
import { MemoryDatabase } from '../../../src/outbound/memory/memory-database';
import { MemoryExpiredAttachmentStore } from '../../../src/outbound/memory/memory-expired-attachment-store';
import { MemoryOutbox } from '../../../src/outbound/memory/memory-outbox';
import { MemoryTaskStore } from '../../../src/outbound/memory/memory-task-store';
import { until } from '../../support/poll';

/** No server listens there. */
const DATABASE_URL = 'postgres://127.0.0.1:1/none';
const HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const MODERN = '2026-07-28';
const LARGE = 'x'.repeat(70_000);

type Members = Record<string, unknown>;

interface Running {
  readonly app: NestFastifyApplication;
  readonly url: string;
}

/** Lists tasks only when the gate is open. */
class GatedTaskStore extends MemoryTaskStore {
  constructor(
    database: MemoryDatabase,
    private readonly gate?: Promise<void>,
  ) {
    super(database);
  }

  override async list(...query: Parameters<MemoryTaskStore['list']>): ReturnType<MemoryTaskStore['list']> {
    await this.gate;
    return super.list(...query);
  }
}

/** The application on stores in memory. */
async function start(
  settings: Record<string, string> = {},
  { gate, ...means }: AuthenticationMeans & { gate?: Promise<void> } = {},
): Promise<Running> {
  Logger.overrideLogger(false);
  const database = new MemoryDatabase();
  const service = await AppModule.register(loadConfig({ DATABASE_URL, ...settings }));
  const testing = await Test.createTestingModule({ imports: [service] })
    .overrideProvider(AttachmentStore)
    .useValue(new MemoryAttachmentStore(database))
    .overrideProvider(TaskStore)
    .useValue(new GatedTaskStore(database, gate))
    .overrideProvider(ExpiredAttachmentStore)
    .useValue(new MemoryExpiredAttachmentStore(database))
    .overrideProvider(Outbox)
    .useValue(new MemoryOutbox(database, { nowMs: () => Date.now() }))
    .overrideProvider(Authenticator)
    .useValue(new Authenticator(means, 'replica'))
    .compile();
  const app = testing.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { bodyParser: false });
  app.connectMicroservice({ strategy: app.get(JsonRpcHttpStrategy) }, { inheritAppConfig: true });
  await app.init();
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  return { app, url: await app.getUrl() };
}

async function post({ url }: Running, body: string, headers: Record<string, string> = {}, path = '/mcp') {
  const response = await fetch(url + path, { method: 'POST', body, headers: { ...HEADERS, ...headers } });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}

function message(method: string, params?: unknown, id: unknown = 1): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, params });
}

function members(count: number): object {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, 0]));
}

function toolCall(name: string, args: string): string {
  return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${name}","arguments":${args}}}`;
}

async function replyOf(running: Running, body: string, headers?: Record<string, string>): Promise<Members> {
  return JSON.parse((await post(running, body, headers)).text) as Members;
}

describe('MCP without authentication', () => {
  let running: Running;

  beforeAll(async () => {
    running = await start({ MAX_REPLY_BYTES: '300000', RATE_LIMITS: 'task.cancel=1/60s' });
    await post(running, toolCall('task__create', '{"id":"task-1","text":"a task"}'));
    const value = '{"taskId":"task-1","key":"value","type":"json","value":{"id":12345678901234567890,"1":1e400}}';
    await post(running, toolCall('task__create_attachment', value));
    const large = JSON.stringify({ taskId: 'task-1', key: 'ä/b', type: 'markdown', content: LARGE });
    await post(running, toolCall('task__create_attachment', large));
  });
  afterAll(() => running?.app.close());

  describe.each([
    ['of 2025-11-25, with a handshake', {}, '2025-11-25'],
    ['of 2026-07-28, without one', { versionNegotiation: { mode: { pin: MODERN } } } as const, MODERN],
  ])("the SDK's client %s", (_name, options, version) => {
    let client: Client;

    beforeAll(async () => {
      client = new Client({ name: 'test', version: '1' }, options);
      await client.connect(new StreamableHTTPClientTransport(new URL(`${running.url}/mcp`)));
    });
    afterAll(() => client?.close());

    it('learns what is served', () => {
      expect(client.getNegotiatedProtocolVersion()).toBe(version);
      expect(client.getServerVersion()).toEqual({ name: 'dossier', title: 'Dossier', version: packageVersion() });
      expect(client.getServerCapabilities()).toEqual({ tools: {}, resources: {} });
      expect(client.getInstructions()).toContain('degraded');
    });

    it('finds the tools, and calls one', async () => {
      const { tools } = await client.listTools();
      const names = tools.map(({ name }) => name);
      expect([names.includes('task__get'), names.includes('task__delete')]).toEqual([true, false]);
      const { content, structuredContent } = await client.callTool({ name: 'task__get', arguments: { id: 'task-1' } });
      expect(structuredContent).toMatchObject({
        id: 'task-1',
        text: 'a task',
        attachmentCount: 2,
        createdBy: 'replica',
      });
      expect(content).toEqual([{ type: 'text', text: JSON.stringify(structuredContent) }]);
    });

    it('gets a large body as a link, and reads it', async () => {
      const ref = { taskId: 'task-1', key: 'ä/b' };
      const { content, structuredContent } = await client.callTool({ name: 'task__get_attachment', arguments: ref });
      expect(structuredContent).toMatchObject({ ...ref, bytes: LARGE.length });
      const [, link] = content as { uri: string }[];
      expect(link).toMatchObject({ type: 'resource_link', name: 'ä/b', mimeType: 'text/markdown', size: LARGE.length });
      const { contents } = await client.readResource({ uri: link!.uri });
      expect(contents).toMatchObject([{ uri: link!.uri, mimeType: 'text/markdown', text: LARGE }]);
    });

    it('finds the template of the resources, and no list of them', async () => {
      expect(await client.listResources()).toMatchObject({ resources: [] });
      const { resourceTemplates } = await client.listResourceTemplates();
      expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
        'dossier://tasks/{taskId}/attachments/{key}',
      ]);
    });

    it('gets the failure of a method as a result that a model can read', async () => {
      const result = await client.callTool({ name: 'task__get', arguments: { id: 'missing' } });
      const error = {
        code: -32602,
        message: 'Task missing not found',
        data: { code: 'TASK_NOT_FOUND', taskId: 'missing' },
      };
      expect(result).toMatchObject({ isError: true, content: [{ type: 'text', text: JSON.stringify(error) }] });
      expect(result.structuredContent).toBeUndefined();
    });

    it('gets an error for a tool and a resource that do not exist', async () => {
      const unknown = await client.callTool({ name: 'task.get', arguments: {} }).catch((error: unknown) => error);
      expect(unknown).toBeInstanceOf(ProtocolError);
      expect(unknown).toMatchObject({ code: -32602, data: { code: 'INVALID_PARAMS', errors: [{ field: 'name' }] } });
      const missing = client.readResource({ uri: 'dossier://tasks/task-1/attachments/missing' });
      await expect(missing).rejects.toMatchObject({ code: -32602, data: { code: 'ATTACHMENT_NOT_FOUND' } });
    });
  });

  describe('a call of a tool', () => {
    const refusalOf = async (tool: string, args: string) => {
      const { result } = (await replyOf(running, toolCall(tool, args))) as {
        result: { isError?: true; content: { text: string }[] };
      };
      expect(result.isError).toBe(true);
      return JSON.parse(result.content[0]!.text) as unknown;
    };

    it('is refused with the same error as a call of the method', async () => {
      for (const [method, args] of [
        ['task.create_attachment', '{"taskId":"a b","kye":"x","type":"json","value":1,"size":0}'],
        [
          'task.create_attachment',
          '{"taskId":"task-1","key":"x","type":"text","value":1,"ifAbsent":true,"ifVersion":1}',
        ],
        ['task.get_attachment', '{"taskId":"task-1","key":"missing"}'],
        ['task.get', '[{"id":"a b"}]'],
        ['task.get', '[1,2]'],
        ['task.get', 'null'],
      ] as const) {
        const call = `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${args}}`;
        const { error } = JSON.parse((await post(running, call, {}, '/rpc')).text) as { error: unknown };
        expect(error).toMatchObject({ code: -32602 });
        expect([args, await refusalOf(method.replace('.', '__'), args)]).toEqual([args, error]);
      }
    });

    it('returns JSON values as they were spelt, in both forms', async () => {
      const { text } = await post(running, toolCall('task__get_attachment', '{"taskId":"task-1","key":"value"}'));
      expect(text).toContain('"value":{"id":12345678901234567890,"1":1e400}');
      expect(text).toContain('\\"value\\":{\\"id\\":12345678901234567890,\\"1\\":1e400}');
    });

    it('returns whatever a caller has stored', async () => {
      const content = '"structuredContent":{} $& $1 \\"structuredContent\\":{} \u2028 </script>';
      const attachment = { taskId: 'task-1', key: 'odd', type: 'text', content };
      await post(running, toolCall('task__create_attachment', JSON.stringify(attachment)));
      const { result } = (await replyOf(
        running,
        toolCall('task__get_attachment', '{"taskId":"task-1","key":"odd"}'),
      )) as {
        result: { content: { text: string }[]; structuredContent: Members };
      };
      expect(result.structuredContent).toMatchObject(attachment);
      expect(JSON.parse(result.content[0]!.text)).toEqual(result.structuredContent);
      await post(running, toolCall('task__delete_attachment', '{"taskId":"task-1","key":"odd"}'));
    });

    it('counts in the limits of the caller together with calls of the method', async () => {
      const call = '{"jsonrpc":"2.0","id":1,"method":"task.cancel","params":{"id":"missing"}}';
      await post(running, call, {}, '/rpc');
      const { headers } = await post(running, toolCall('task__cancel', '{"id":"missing"}'));
      expect(headers.get('x-ratelimit-remaining')).toBe('0');
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await refusalOf('task__cancel', '{"id":"missing"}')).toMatchObject({
        code: -32000,
        data: { code: 'RATE_LIMITED', limit: 1, windowMs: 60_000 },
      });
    });

    it('fails if its reply has no room for the result, which it has twice', async () => {
      const attachment = { taskId: 'task-1', type: 'text', content: '\n'.repeat(50_000) };
      for (const key of ['a', 'b']) {
        await post(running, toolCall('task__create_attachment', JSON.stringify({ ...attachment, key })));
      }
      const tooLarge = { code: -32603, data: { code: 'REPLY_TOO_LARGE', maxReplyBytes: 300_000 } };
      const get = '{"requests":[{"taskId":"task-1","key":"a"}]}';
      expect(await replyOf(running, toolCall('task__get_attachments_batch', get))).toMatchObject({
        result: { structuredContent: { attachments: [attachment] } },
      });
      expect(await refusalOf('task__list_attachments', '{"taskId":"task-1","keyPrefix":""}')).toMatchObject(tooLarge);
      const both = '{"requests":[{"taskId":"task-1","key":"a"},{"taskId":"task-1","key":"b"}]}';
      expect(await refusalOf('task__get_attachments_batch', both)).toMatchObject(tooLarge);
      for (const key of ['a', 'b']) {
        await post(running, toolCall('task__delete_attachment', JSON.stringify({ taskId: 'task-1', key })));
      }
    });

    it('may have more arguments than a message may have other members: the method looks at them', async () => {
      const { data } = (await refusalOf('task__list', JSON.stringify(members(300)))) as { data: { errors: unknown[] } };
      expect(data.errors).toHaveLength(300);
    });

    it('without an id is a notification, and runs nothing', async () => {
      const notification = JSON.stringify({
        jsonrpc: '2.0',
        method: 'tools/call',
        params: { name: 'task__create', arguments: { id: 'never', text: 'x' } },
      });
      expect(await post(running, notification)).toMatchObject({ status: 202, text: '' });
      expect(await refusalOf('task__get', '{"id":"never"}')).toMatchObject({ data: { code: 'TASK_NOT_FOUND' } });
    });
  });

  describe('a message', () => {
    const INVALID = { code: -32600, message: 'Invalid Request' };

    it.each([
      ['is no JSON', '{', -32700, undefined],
      ['is empty', '', -32700, undefined],
      ['is a batch', `[${message('ping')}]`, -32600, 'a batch is not allowed: post each message by itself'],
      ['is no object', '5', -32600, 'a message must be an object'],
      ['has a huge id', message('ping', {}, 'x'.repeat(129)), -32600, 'id must be at most 128 characters long, is 129'],
      [
        'has a number as id that would not come back',
        '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}',
        -32600,
        'id must be a string or an integer below 2^53',
      ],
      ['has null as id', message('ping', {}, null), -32600, 'id must be a string or an integer below 2^53'],
      ['has an object as id', message('ping', {}, {}), -32600, 'id must be a string, a finite number or null'],
      [
        'has too much besides arguments',
        message('initialize', { capabilities: { experimental: { a: Array(9000).fill(0) } } }),
        -32600,
        'a message must have at most 16384 characters besides the arguments of a tool',
      ],
      ...[
        message('tools/call', { name: 'task__list', arguments: {}, _meta: members(300) }),
        message('tools/list', { _meta: { a: [0, members(150)], b: members(150) } }),
        message('initialize', { capabilities: { experimental: members(300) } }),
      ].map((body): [string, string, number, string] => [
        'has too many members besides arguments',
        body,
        -32600,
        'a message must have at most 256 members besides the arguments of a tool',
      ]),
    ])('that %s is refused', async (_what, body, code, reason) => {
      const { status, text } = await post(running, body);
      const data = reason === undefined ? undefined : { code: 'INVALID_REQUEST', reason };
      const error = { ...(code === -32700 ? { code, message: 'Parse error' } : { ...INVALID, data }) };
      expect([status, JSON.parse(text)]).toEqual([400, { jsonrpc: '2.0', error, id: null }]);
    });

    it.each([
      ['of another form', '{"jsonrpc":"1.0","id":1,"method":"ping"}', {}, 400, -32600],
      ['of an unknown method', message('prompts/list'), {}, 200, -32601],
      ['that subscribes', message('resources/subscribe', { uri: 'dossier://tasks/a/attachments/b' }), {}, 200, -32601],
      ['whose tool has no name', message('tools/call', { arguments: {} }), {}, 200, -32602],
      ['of an unknown version', message('ping'), { 'mcp-protocol-version': '1999-01-01' }, 400, -32000],
      [
        'of a version before structured results',
        message('ping'),
        { 'mcp-protocol-version': '2025-03-26' },
        400,
        -32000,
      ],
      ['of a version that it does not name itself', message('ping'), { 'mcp-protocol-version': MODERN }, 400, -32602],
      ['whose reply may be of one kind only', message('ping'), { accept: 'application/json' }, 406, -32000],
    ])('%s is refused by the SDK', async (_what, body, headers, status, code) => {
      const reply = await post(running, body, headers);
      expect([reply.status, JSON.parse(reply.text)]).toEqual([
        status,
        expect.objectContaining({ error: expect.objectContaining({ code }) as unknown }),
      ]);
    });

    it('names arguments that are no object', async () => {
      const errors = [{ field: 'arguments', message: 'must be an object' }];
      expect(await replyOf(running, toolCall('task__get', '"x"'))).toMatchObject({
        error: { code: -32602, message: 'Invalid params', data: { code: 'INVALID_PARAMS', errors } },
      });
    });

    it.each<[string, unknown, string[]]>([
      ['initialize', undefined, ['params']],
      ['initialize', {}, ['protocolVersion', 'capabilities', 'clientInfo']],
      ['resources/read', undefined, ['params']],
      ['resources/read', {}, ['uri']],
      ['resources/read', { uri: 5 }, ['uri']],
      ['resources/read', { uri: null }, ['uri']],
      ['resources/list', { cursor: 5 }, ['cursor']],
      ['resources/templates/list', { cursor: 5 }, ['cursor']],
      ['tools/list', { cursor: 5 }, ['cursor']],
      ['tools/call', { name: 5 }, ['name']],
    ])('of %s with the params %j is told which of them are wrong', async (method, params, fields) => {
      const body = JSON.stringify({ jsonrpc: '2.0', id: 'one', method, params });
      const { status, text } = await post(running, body, { 'mcp-protocol-version': '2025-11-25' });
      const errors = fields.map((field) => ({ field, message: expect.stringMatching(/^[ -~]+$/) as unknown }));
      const error = { code: -32602, message: 'Invalid params', data: { code: 'INVALID_PARAMS', errors } };
      expect([status, JSON.parse(text)]).toEqual([200, { jsonrpc: '2.0', id: 'one', error }]);
    });

    it('of the newer protocol is told which of its params are wrong', async () => {
      const _meta = {
        'io.modelcontextprotocol/protocolVersion': MODERN,
        'io.modelcontextprotocol/clientInfo': { name: 'x', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
      };
      const headers = { 'mcp-protocol-version': MODERN, 'mcp-method': 'tools/list' };
      const { text } = await post(running, message('tools/list', { cursor: 5, _meta }), headers);
      expect(JSON.parse(text)).toMatchObject({
        error: { code: -32602, message: 'Invalid params', data: { errors: [{ field: 'cursor' }] } },
      });
    });

    it('of any kind gets a reply', async () => {
      const names = fc.constantFrom('initialize', 'tools/call', 'tools/list', 'resources/read', 'server/discover', 'x');
      const members = fc.record(
        {
          jsonrpc: fc.constantFrom('2.0', 2),
          id: fc.oneof(fc.integer(), fc.string(), fc.constant(null)),
          method: names,
          params: fc.oneof(
            fc.record(
              {
                name: fc.constantFrom('task__get', 'x'),
                arguments: fc.jsonValue(),
                uri: fc.string(),
                _meta: fc.jsonValue(),
              },
              { requiredKeys: [] },
            ),
            fc.jsonValue(),
          ),
          result: fc.jsonValue(),
        },
        { requiredKeys: [] },
      );
      const versions = fc.constantFrom(undefined, '2025-11-25', MODERN);
      await fc.assert(
        fc.asyncProperty(members, versions, async (body, version) => {
          const headers = version === undefined ? undefined : { 'mcp-protocol-version': version };
          const { status, text } = await post(running, JSON.stringify(body), headers);
          expect([200, 202, 400, 404]).toContain(status);
          expect(text).not.toContain('-32603');
        }),
        { seed: 15, numRuns: 100 },
      );
    });

    it('that asks for notifications is told that there are none, in a stream that ends', async () => {
      const meta = {
        'io.modelcontextprotocol/protocolVersion': MODERN,
        'io.modelcontextprotocol/clientCapabilities': {},
      };
      const body = message('subscriptions/listen', { notifications: { toolsListChanged: true }, _meta: meta });
      const headers = { 'mcp-protocol-version': MODERN, 'mcp-method': 'subscriptions/listen' };
      const reply = await post(running, body, headers);
      expect(reply.headers.get('content-type')).toBe('text/event-stream');
      expect(reply.text).toContain('"notifications":{}');
      expect(reply.text).toContain('"resultType":"complete"');
    });
  });

  it.each(['GET', 'DELETE', 'PUT'])('%s is refused, as there are no sessions', async (method) => {
    const response = await fetch(`${running.url}/mcp`, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    expect(await response.json()).toMatchObject({ error: { code: -32600, data: { code: 'METHOD_NOT_ALLOWED' } } });
  });

  it('a web page of another origin is refused, in the form of JSON-RPC', async () => {
    for (const [name, value] of [
      ['origin', 'https://evil.example'],
      ['origin', 'null'],
      ['sec-fetch-site', 'cross-site'],
    ] as const) {
      const { status, text } = await post(running, message('ping'), { [name]: value });
      expect([status, JSON.parse(text)]).toMatchObject([403, { error: { data: { code: 'ORIGIN_NOT_ALLOWED' } } }]);
    }
    expect((await post(running, message('ping'), { origin: running.url })).status).toBe(200);
  });

  it('a body that is not JSON by its type, or too large, is refused as on /rpc', async () => {
    for (const [body, headers] of [
      [message('ping'), { 'content-type': 'text/plain' }],
      ['x'.repeat(9 * 2 ** 20), {}],
    ] as const) {
      const [mcp, rpc] = [await post(running, body, headers), await post(running, body, headers, '/rpc')];
      expect(mcp.status).toBeGreaterThanOrEqual(413);
      expect([mcp.status, mcp.text]).toEqual([rpc.status, rpc.text]);
    }
  });
});

describe('MCP with authentication', () => {
  /** A key is the role that it has. */
  const find = (key: string) => isRole(key) && { id: key, caller: { organization: 'acme', name: key }, role: key };
  const apiKeys = { find: (key: string) => find(key) || undefined } as ApiKeys;
  let running: Running;

  /** The issuer does not answer. */
  const verify = () => Promise.resolve(new AuthenticationFailure('unavailable'));
  const accessTokens = {
    verify: (token: string) => (token === 'x.y.z' ? verify() : undefined),
  } as unknown as AccessTokens;

  beforeAll(async () => void (running = await start({}, { apiKeys, accessTokens })));
  afterAll(() => running?.app.close());

  it('a caller without a valid credential is refused, whatever it asks', async () => {
    for (const headers of [{}, { 'x-api-key': 'wrong' }, { authorization: 'Bearer wrong' }]) {
      for (const body of [message('initialize'), message('ping'), '{', 'x'.repeat(100_000)]) {
        const reply = await post(running, body, headers as Record<string, string>);
        expect(reply.status).toBe(401);
        expect(reply.headers.get('www-authenticate')).toBe('ApiKey realm="dossier", Bearer realm="dossier"');
        expect(JSON.parse(reply.text)).toEqual({
          jsonrpc: '2.0',
          error: { code: -32002, message: 'Unauthorized', data: { code: 'UNAUTHORIZED' } },
          id: null,
        });
      }
    }
  });

  it('a caller whose token cannot be checked now is told to come again', async () => {
    const { status, headers, text } = await post(running, message('ping'), { authorization: 'Bearer x.y.z' });
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    expect(JSON.parse(text)).toMatchObject({ error: { code: -32001, data: { code: 'KEY_SET_UNAVAILABLE' } } });
  });

  it("the SDK's client passes a key, and sees and calls what the role allows", async () => {
    const requestInit = { headers: { 'x-api-key': 'read' } };
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${running.url}/mcp`), { requestInit }));
    const { tools } = await client.listTools();
    expect(tools.every(({ annotations }) => annotations?.readOnlyHint)).toBe(true);
    const refused = await client.callTool({ name: 'task__create', arguments: { text: 'x' } });
    const error = { code: -32004, message: 'Forbidden', data: { code: 'FORBIDDEN', neededRole: 'write' } };
    expect(refused).toMatchObject({ isError: true, content: [{ text: JSON.stringify(error) }] });
    await client.close();
  });
});

describe('MCP on a replica with CORS_ORIGINS and a bound on what is in flight', () => {
  let running: Running;
  let release: () => void;
  const gate = new Promise<void>((resolve) => (release = resolve));

  beforeAll(
    async () => void (running = await start({ MAX_IN_FLIGHT: '1', CORS_ORIGINS: 'https://app.example' }, { gate })),
  );
  afterAll(() => running?.app.close());

  it('lets pages of these origins send the headers of the protocol', async () => {
    const asked = { origin: 'https://app.example', 'access-control-request-method': 'POST' };
    const { status, headers } = await fetch(`${running.url}/mcp`, { method: 'OPTIONS', headers: asked });
    expect([status, headers.get('access-control-allow-origin')]).toEqual([204, 'https://app.example']);
    const allowed = headers.get('access-control-allow-headers')?.split(', ');
    expect(allowed).toEqual(expect.arrayContaining(['mcp-protocol-version', 'mcp-method', 'mcp-name', 'x-api-key']));
  });

  it('counts messages of MCP together with those of JSON-RPC, and refuses what is too much in the same way', async () => {
    const waiting = post(running, toolCall('task__list', '{}'));
    const load = running.app.get(LoadShedder);
    await until('the message is in flight', () => Promise.resolve(load.isOverloaded));
    const [mcp, rpc] = [await post(running, message('ping')), await post(running, message('x'), {}, '/rpc')];
    expect([mcp.status, mcp.text]).toEqual([503, rpc.text]);
    expect(mcp.headers.get('retry-after')).toBe('1');
    release();
    expect((await waiting).status).toBe(200);
    await until('the message is no longer in flight', () => Promise.resolve(!load.isOverloaded));
    expect((await post(running, message('ping'))).status).toBe(200);
  });
});

describe('a service with MCP=off', () => {
  it('has no such endpoint', async () => {
    const running = await start({ MCP: 'off' });
    try {
      expect((await post(running, message('ping'))).status).toBe(404);
    } finally {
      await running.app.close();
    }
  });
});
