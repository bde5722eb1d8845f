import Ajv2020 from 'ajv/dist/2020';
import { DOMAIN_EVENT_TYPES } from '../../src/core/domain/domain-event';
import { METHODS } from '../../src/inbound/methods/method-descriptions';
import { EventReader } from '../support/event-reader';
import { writeKeyFile, type KeyFile } from '../support/key-file';
import { startService, type RpcReply, type Service } from '../support/service';
import { STORY } from '../support/story-of-the-examples';

const MEMORY = { DATABASE_URL: 'memory', INSTANCE_ID: 'billing' };
const DOCUMENTS = ['openrpc', 'openapi', 'asyncapi'];
/** What differs from run to run. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const ATTACHMENT_ID = /^ta-\d+-[0-9a-z]{9}$/;

function withoutChance(value: unknown, name = ''): unknown {
  if (typeof value === 'string' && TIME.test(value)) return 'a time';
  if (typeof value === 'string' && ATTACHMENT_ID.test(value)) return 'an id';
  if (name === 'version') return 'a version';
  if (Array.isArray(value)) return value.map((element) => withoutChance(element));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([member, inner]) => [member, withoutChance(inner, member)]));
}

describe('the documents of a service with authentication', () => {
  let keys: KeyFile;
  let service: Service;

  beforeAll(async () => {
    keys = writeKeyFile(1);
    service = await startService({ ...MEMORY, API_KEYS_FILE: keys.path, MAX_ATTACHMENT_BYTES: '12345' });
  });
  afterAll(async () => {
    await service?.kill();
    keys?.remove();
  });

  it.each(DOCUMENTS)('/%s.json needs no credential, and is not sent again to a client that has it', async (name) => {
    const { status, headers, text } = await service.fetch(`/${name}.json`);
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    expect([headers.get('cache-control'), headers.get('x-content-type-options')]).toEqual(['no-cache', 'nosniff']);
    expect(JSON.parse(text)).toHaveProperty(name);

    const etag = headers.get('etag') as string;
    const again = await service.fetch(`/${name}.json`, { headers: { 'if-none-match': `"other", W/${etag}` } });
    expect([again.status, again.text, again.headers.get('etag')]).toEqual([304, '', etag]);
    expect((await service.fetch(`/${name}.json`, { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
  });

  it('rpc.discover needs no credential and returns what /openrpc.json has, while every other method does', async () => {
    const document = await service.result('rpc.discover');
    expect(document).toEqual(JSON.parse((await service.fetch('/openrpc.json')).text));
    expect(document['x-limits']).toMatchObject({ MAX_ATTACHMENT_BYTES: 12345 });
    expect(document['x-needsCredential']).toBe(true);
    expect(document).not.toHaveProperty('x-nats');
    expect((await service.error('task.list')).code).toBe(-32002);
  });

  it('a batch of rpc.discover that no reply can carry is refused as that of any method', async () => {
    const batch = Array.from({ length: 10 }, (_, id) => ({ jsonrpc: '2.0', method: 'rpc.discover', id }));
    const replies = JSON.parse((await service.post(JSON.stringify(batch))).text) as RpcReply[];
    const codes = replies.map(({ error }) => (error ? error.data?.['code'] : 'served'));
    expect([...new Set(codes)].sort()).toEqual(['REPLY_TOO_LARGE', 'served']);
  });

  it('OpenAPI says that endpoints with data need a credential', async () => {
    const document = JSON.parse((await service.fetch('/openapi.json')).text) as { security: unknown };
    expect(document.security).toEqual([{ apiKey: [] }, { accessToken: [] }]);
  });
});

describe('the documents of an open service', () => {
  let service: Service;

  beforeAll(async () => void (service = await startService(MEMORY)));
  afterAll(() => service?.kill());

  it('the examples of all methods do what they say', async () => {
    expect(METHODS.map(({ name }) => name).sort()).toEqual([...STORY].sort());
    await service.result('task.create', { id: 'order-4712', text: 'a task that is cancelled', status: undefined });
    await service.result('task.update', { id: 'order-4712', updates: { status: 'in_progress' } });
    for (const name of STORY) {
      for (const { params, result } of METHODS.find((method) => method.name === name)!.examples) {
        const actual = await service.result(name, params);
        expect([name, withoutChance(actual)]).toEqual([name, withoutChance(result)]);
      }
    }
  });

  it('the pages of other origins may not read them', async () => {
    for (const path of ['/openrpc.json', '/', '/docs', '/docs/page.js']) {
      const { status } = await service.fetch(path, { headers: { origin: 'https://evil.example' } });
      expect([path, status]).toEqual([path, 403]);
    }
  });

  it('say that no credential is needed', async () => {
    expect(await service.result('rpc.discover')).toMatchObject({ 'x-needsCredential': false });
  });

  describe('OpenAPI', () => {
    interface Operation {
      readonly responses: Record<string, { content?: Record<string, { schema: object }> }>;
    }
    let document: { paths: Record<string, Record<string, Operation>>; components: object };

    beforeAll(async () => void (document = JSON.parse((await service.fetch('/openapi.json')).text) as typeof document));

    /** Throws unless the reply is one of those that the document has. */
    const expectDescribed = async (path: string, verb: string, url = path, init: RequestInit = {}) => {
      const reply = await service.fetch(url, { method: verb.toUpperCase(), ...init });
      const response = document.paths[path]?.[verb]?.responses[reply.status];
      expect([path, reply.status, response]).toEqual([path, reply.status, expect.anything()]);
      const mediaType = reply.headers.get('content-type')?.split(';')[0];
      if (!response?.content) return expect([path, reply.text]).toEqual([path, '']);
      const schema = response.content[mediaType as string]?.schema;
      expect([path, mediaType, schema]).toEqual([path, mediaType, expect.anything()]);
      if (mediaType !== 'application/json') return;
      const isValid = new Ajv2020({ strict: false, validateFormats: false }).compile({
        ...schema,
        components: document.components,
      });
      expect([path, isValid(JSON.parse(reply.text)), isValid.errors]).toEqual([path, true, null]);
    };

    it('has every path of the service that is no stream, with what it returns', async () => {
      for (const path of Object.keys(document.paths).filter(
        (path) => document.paths[path]?.['get'] && path !== '/events',
      )) {
        await expectDescribed(path, 'get');
      }
    });

    it('describes what DELETE returns', async () => {
      await service.result('task.create', { id: 'to-delete', text: 'x' });
      for (const id of ['to-delete', 'missing', 'mal%20formed']) {
        await expectDescribed('/v1/tasks/{task_id}', 'delete', `/v1/tasks/${id}`);
      }
    });

    it('describes what POST /rpc returns', async () => {
      const call = { jsonrpc: '2.0', method: 'task.get', params: { id: 'missing' } };
      const headers = { 'content-type': 'application/json' };
      for (const body of [
        { ...call, id: 1 },
        [
          { ...call, id: 1 },
          { ...call, id: 'a' },
        ],
        call,
        5,
      ]) {
        await expectDescribed('/rpc', 'post', '/rpc', { headers, body: JSON.stringify(body) });
      }
      await expectDescribed('/rpc', 'post', '/rpc', { headers: { 'content-type': 'text/plain' }, body: 'x' });
    });

    it('describes what POST /mcp returns', async () => {
      const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
      const call = { jsonrpc: '2.0', method: 'tools/list' };
      for (const body of [{ ...call, id: 1 }, call, { ...call, id: 1, method: 'x' }, []]) {
        await expectDescribed('/mcp', 'post', '/mcp', { headers, body: JSON.stringify(body) });
      }
      const html = { ...headers, accept: 'text/html' };
      await expectDescribed('/mcp', 'post', '/mcp', { headers: html, body: JSON.stringify({ ...call, id: 1 }) });
      await expectDescribed('/mcp', 'post', '/mcp', { headers: { 'content-type': 'text/plain' }, body: 'x' });
    });

    it('describes what GET /events refuses', async () => {
      await expectDescribed('/events', 'get', '/events?taskId=a%20b');
    });
  });

  it('events of every type are as they are described', async () => {
    const reader = await EventReader.open(service.url);
    const seen: string[] = [];
    const seeUntil = async (type: string) => {
      while (!seen.includes(type)) seen.push((await reader.events(seen.length + 1)).at(-1)!.name);
    };
    const taskId = 'announced';
    await service.result('task.create', { id: taskId, text: 'x' });
    await service.result('task.create_attachment', { taskId, key: 'a', type: 'text', content: 'x' });
    await service.result('task.create_attachment', { taskId, key: 'b', type: 'text', content: 'x', ttlSeconds: 1 });
    await service.result('task.delete_attachment', { taskId, key: 'a' });
    await service.result('task.update', { taskId, updates: { status: 'in_progress' } });
    await service.result('task.create', { parentId: taskId, id: 'completed', text: 'x' });
    await service.result('task.complete', { id: 'completed', result: 1 });
    await seeUntil('task.attachment.expired');
    await service.result('task.delete', { taskId });
    await seeUntil('task.deleted');
    reader.close();
    expect(new Set(seen)).toEqual(new Set(DOMAIN_EVENT_TYPES));
  });
});

describe('a service with DOCS=off', () => {
  let service: Service;

  beforeAll(async () => void (service = await startService({ ...MEMORY, DOCS: 'off' })));
  afterAll(() => service?.kill());

  it('has no documents and no page', async () => {
    const paths = [...DOCUMENTS.map((name) => `/${name}.json`), '/', '/docs', '/docs/page.js'];
    for (const path of paths) {
      const { status, text } = await service.fetch(path);
      expect([status, JSON.parse(text)]).toEqual([404, expect.objectContaining({ message: `Cannot GET ${path}` })]);
    }
    expect((await service.error('rpc.discover')).code).toBe(-32601);
  });
});
