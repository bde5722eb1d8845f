import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { json } from 'node:stream/consumers';
import { until } from '../support/poll';
import { exchange, openConnection, rawRequest } from '../support/raw-http';
import type { RpcError, RpcReply, Service } from '../support/service';
import { SETUPS, type Setup } from '../support/setups';
import type { WireAttachmentPage } from '../support/wire-values';

const MAX_BODY_BYTES = 8 * 1024 * 1024;
const MAX_REPLY_BYTES = 16 * 1024 * 1024;
const TASK = 'json-rpc';

const PARSE_ERROR = { jsonrpc: '2.0', error: { code: -32700, message: 'Parse error' }, id: null };
const INVALID_REQUEST = { jsonrpc: '2.0', error: { code: -32600, message: 'Invalid Request' }, id: null };
/** What the specification does not print says what is wrong. */
const invalidRequest = (reason: string, id: unknown = null) => ({
  jsonrpc: '2.0',
  error: { code: -32600, message: 'Invalid Request', data: { code: 'INVALID_REQUEST', reason } },
  id,
});
const METHOD_NOT_FOUND = { code: -32601, message: 'Method not found' };
const fieldErrors = (error: RpcError | undefined) => error?.data?.['errors'] as { field: string; message: string }[];
const fieldsOf = (error: RpcError | undefined) => fieldErrors(error).map(({ field }) => field);

describe.each(SETUPS)('JSON-RPC 2.0 over HTTP, $name', ({ open }) => {
  let setup: Setup;
  let service: Service;

  beforeAll(async () => {
    setup = await open();
    ({ service } = setup);
    await service.result('task.create', { id: TASK, text: 'calls' });
  });
  afterAll(() => setup?.close());

  /** The parsed reply to a message; undefined if there is none. */
  const reply = async (message: unknown): Promise<unknown> => {
    const { status, text } = await service.post(typeof message === 'string' ? message : JSON.stringify(message));
    if (status === 204 && text === '') return undefined;
    expect(status).toBe(200);
    return JSON.parse(text);
  };
  const create = (key: string, members: object = { type: 'text', content: 'x' }) => ({
    jsonrpc: '2.0',
    method: 'task.create_attachment',
    params: { taskId: TASK, key, ...members },
  });
  const isStored = async (key: string) => {
    const { error } = await service.rpc('task.get_attachment', { taskId: TASK, key });
    return error === undefined;
  };

  describe('the examples of the specification', () => {
    it('a call may have its named parameters in any order', async () => {
      const byName = { jsonrpc: '2.0', method: 'task.list', params: { limit: 1, parentId: 'nobody' }, id: 3 };
      const result = { tasks: [], totalCount: 0, hasMore: false };
      expect(await reply(byName)).toStrictEqual({ jsonrpc: '2.0', result, id: 3 });
      const otherOrder = { id: 4, params: { parentId: 'nobody', limit: 1 }, method: 'task.list', jsonrpc: '2.0' };
      expect(await reply(otherOrder)).toStrictEqual({ jsonrpc: '2.0', result, id: 4 });
    });

    it.each<[string, string, unknown]>([
      ['a notification', '{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', undefined],
      ['a notification for an unknown method', '{"jsonrpc": "2.0", "method": "foobar"}', undefined],
      [
        'a call of an unknown method',
        '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
        { jsonrpc: '2.0', error: METHOD_NOT_FOUND, id: '1' },
      ],
      ['a call with invalid JSON', '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', PARSE_ERROR],
      ['a call with an invalid request object', '{"jsonrpc": "2.0", "method": 1, "params": "bar"}', INVALID_REQUEST],
      [
        'a batch with invalid JSON',
        '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},{"jsonrpc": "2.0", "method"]',
        PARSE_ERROR,
      ],
      ['an empty batch', '[]', INVALID_REQUEST],
      ['a batch with one invalid member', '[1]', [INVALID_REQUEST]],
      ['a batch of invalid members', '[1,2,3]', [INVALID_REQUEST, INVALID_REQUEST, INVALID_REQUEST]],
      [
        'a batch of notifications',
        '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]',
        undefined,
      ],
    ])('the reply to %s is the specified one', async (_, message, expected) => {
      expect(await reply(message)).toStrictEqual(expected);
    });

    it('the reply to a batch of valid and invalid calls is the specified one', async () => {
      const batch = [
        { jsonrpc: '2.0', method: 'task.list', params: { parentId: 'nobody' }, id: '1' },
        { jsonrpc: '2.0', method: 'notify_hello', params: [7] },
        { jsonrpc: '2.0', method: 'task.list', params: { parentId: 'nobody' }, id: '2' },
        { foo: 'boo' },
        { jsonrpc: '2.0', method: 'foo.get', params: { name: 'myself' }, id: '5' },
        { jsonrpc: '2.0', method: 'task.list_attachments', params: { taskId: TASK }, id: '9' },
      ];
      const empty = { totalCount: 0, hasMore: false };
      expect(await reply(batch)).toStrictEqual([
        { jsonrpc: '2.0', result: { tasks: [], ...empty }, id: '1' },
        { jsonrpc: '2.0', result: { tasks: [], ...empty }, id: '2' },
        INVALID_REQUEST,
        { jsonrpc: '2.0', error: METHOD_NOT_FOUND, id: '5' },
        { jsonrpc: '2.0', result: { attachments: [], ...empty }, id: '9' },
      ]);
    });
  });

  describe('notifications', () => {
    it('take effect', async () => {
      expect(await reply(create('notified'))).toBeUndefined();
      await until('the notification has taken effect', () => isStored('notified'));
      await service.result('task.delete_attachment', { taskId: TASK, key: 'notified' });
    });

    it.each([
      ['that are refused', { jsonrpc: '2.0', method: 'task.get', params: { id: 'no such task' } }],
      ['with wrong params', { jsonrpc: '2.0', method: 'task.get', params: [1, 2] }],
      ['in a batch', [{ jsonrpc: '2.0', method: 'task.get', params: { id: 'missing' } }]],
    ])('%s get no reply', async (_, message) => {
      expect(await reply(message)).toBeUndefined();
    });
  });

  describe('ids', () => {
    const longest = '🦊'.repeat(128);

    it.each([
      ['""', '""'],
      ['"call"', '"call"'],
      [JSON.stringify(longest), JSON.stringify(longest)],
      ['0', '0'],
      ['-7', '-7'],
      ['1.50', '1.50'],
      ['9007199254740993', '9007199254740993'],
      ['null', 'null'],
    ])('the id %s is returned unchanged', async (id, echoed) => {
      const { text } = await service.post(`{"jsonrpc":"2.0","method":"none","id":${id}}`);
      expect(text).toBe(`{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":${echoed}}`);
    });

    it.each([
      ['true', 'id must be a string, a finite number or null'],
      ['[]', 'id must be a string, a finite number or null'],
      ['{}', 'id must be a string, a finite number or null'],
      ['1e400', 'id must be a string, a finite number or null'],
      [JSON.stringify(`${longest}.`), 'id must be at most 128 characters long, is 129'],
    ])('the id %s is refused, and the reply says why', async (id, reason) => {
      expect(await reply(`{"jsonrpc":"2.0","method":"task.list","id":${id}}`)).toStrictEqual(invalidRequest(reason));
    });

    it.each([
      ['another version', { jsonrpc: '1.0', method: 'task.list', id: 7 }, 'jsonrpc must be "2.0"'],
      ['no version', { method: 'task.list', id: 7 }, 'jsonrpc must be "2.0"'],
      [
        'params that are not an object',
        { jsonrpc: '2.0', method: 'task.list', params: 'x', id: 7 },
        'params must be an object',
      ],
    ])('a request with %s is refused under its own id, and the reply says why', async (_, message, reason) => {
      expect(await reply(message)).toStrictEqual(invalidRequest(reason, 7));
    });
  });

  describe('batches', () => {
    it('whose replies would be too large get those that fit, and the service stays ready', async () => {
      await service.result('task.create', { id: 'large', text: 'one large attachment' });
      const content = 'x'.repeat(1024 * 1024);
      await service.result('task.create_attachment', { taskId: 'large', key: 'k', type: 'text', content });
      const requests = Array.from({ length: 9 }, () => ({ taskId: 'large', key: 'k' }));
      const call = { jsonrpc: '2.0', method: 'task.get_attachments_batch', params: { requests } };
      const replies = (await reply(Array.from({ length: 20 }, (_, id) => ({ ...call, id })))) as RpcReply[];
      const answered = replies.filter(({ result }) => result !== undefined);
      expect(answered).toHaveLength(1);
      const reason = 'ask for less: a smaller limit, includeBodies: false, fewer requests, or fewer calls in a batch';
      const data = { code: 'REPLY_TOO_LARGE', maxReplyBytes: MAX_REPLY_BYTES, reason };
      const refusal = { code: -32603, message: 'Internal error', data };
      const alone = { ...call, params: { requests: Array(16).fill(requests[0]) }, id: 1 };
      expect(await reply(alone)).toEqual({ jsonrpc: '2.0', error: refusal, id: 1 });
      expect(await reply({ ...alone, params: { requests: Array(15).fill(requests[0]) } })).toHaveProperty('result');
      expect(replies.filter(({ error }) => error !== undefined).map(({ error }) => error)).toEqual(
        Array(19).fill(refusal),
      );
      expect((await service.fetch('/readyz')).status).toBe(200);
      await service.result('task.delete', { id: 'large' });
    });

    const gets = (count: number) =>
      Array.from({ length: count }, (_, id) => ({ jsonrpc: '2.0', method: 'task.get', params: { id: `t${id}` }, id }));

    it('of 100 calls get replies in the order of the calls', async () => {
      const replies = (await reply(gets(100))) as RpcReply[];
      expect(replies.map(({ id, error }) => [id, error?.message])).toEqual(
        gets(100).map(({ id }) => [id, `Task t${id} not found`]),
      );
    });

    it('of 101 calls are refused under the id of each call, and no call runs', async () => {
      const calls = Array.from({ length: 100 }, (_, i) => ({ ...create(`batch-${i}`), id: i }));
      const data = { code: 'BATCH_TOO_LONG', maxCalls: 100, reason: 'a batch has at most 100 calls' };
      const error = { code: -32600, message: 'Invalid Request', data };
      const refusals = calls.map(({ id }) => ({ jsonrpc: '2.0', error, id }));
      expect(await reply([...calls, create('batch-notified')])).toEqual(refusals);
      expect(await reply(Array(101).fill(1))).toEqual({ jsonrpc: '2.0', error, id: null });
      const { totalCount } = await service.result<WireAttachmentPage>('task.list_attachments', { taskId: TASK });
      expect(totalCount).toBe(0);
    });

    it('with invalid members get one reply for each member', async () => {
      const valid = { jsonrpc: '2.0', method: 'task.list', params: { parentId: 'nobody' }, id: 1 };
      expect(await reply([[], null, 'x', valid])).toMatchObject([
        INVALID_REQUEST,
        INVALID_REQUEST,
        INVALID_REQUEST,
        { result: { totalCount: 0 }, id: 1 },
      ]);
    });
  });

  describe('params', () => {
    it('with unknown names are refused, and the error names them all', async () => {
      const error = await service.error('task.create_attachment', {
        taskid: TASK,
        key: 'k',
        type: 'text',
        contents: 'x',
      });
      expect(error).toMatchObject({ code: -32602, message: 'Invalid params' });
      expect(fieldsOf(error).sort()).toEqual(['content', 'contents', 'taskId', 'taskid']);
    });

    it('by position are refused', async () => {
      expect(await service.error('task.get', ['t-1'])).toMatchObject({ code: -32602, message: 'Invalid params' });
      expect(await service.error('task.get', [{ id: TASK }, 1])).toMatchObject({ code: -32602 });
    });

    it('may be null or an empty array, which count as left out, or an array of one object', async () => {
      for (const params of [null, []]) {
        const call = { jsonrpc: '2.0', method: 'task.list', params, id: 1 };
        expect(await reply(call)).toMatchObject({ result: { totalCount: 1 } });
      }
      const call = { jsonrpc: '2.0', method: 'task.get', params: [{ id: TASK }], id: 1 };
      expect(await reply(call)).toMatchObject({ result: { id: TASK } });
    });

    it('that are null count as left out, unless null means something', async () => {
      const left = { status: null, assignedTo: null, priority: null, limit: null, offset: null, order: null };
      expect(await service.result('task.list', left)).toEqual(await service.result('task.list', {}));
      const error = await service.error('task.create_attachment', { ...create('k').params, value: null });
      expect(fieldErrors(error)).toEqual([{ field: 'value', message: 'is not taken by type text' }]);
    });

    it('are refused with what to do, with the limit and with what was given', async () => {
      const params = { taskId: TASK, key: 'k'.repeat(120), limt: 5, limit: 101, offset: '0', includeBodies: 'no' };
      const { key, ...list } = params;
      expect(fieldErrors(await service.error('task.get_attachment', { taskId: TASK, key }))).toEqual([
        { field: 'key', message: 'must be at most 100 characters long, is 120' },
      ]);
      expect(fieldErrors(await service.error('task.list_attachments', list))).toEqual([
        { field: 'limt', message: 'is not a parameter of this method, did you mean limit?' },
        { field: 'includeBodies', message: 'must be true or false, or left out' },
        { field: 'limit', message: 'must be an integer from 1 to 100, is 101' },
        { field: 'offset', message: 'must be a number, an integer from 0 to 9007199254740991' },
      ]);
      const size = { ...create('k').params, size: '5' };
      expect(fieldErrors(await service.error('task.create_attachment', size))).toEqual([
        { field: 'size', message: 'must be a number, or left out' },
      ]);
    });

    it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
      'with the name %s are refused',
      async (name) => {
        const body = `{"jsonrpc":"2.0","method":"task.get_attachment","params":{"taskId":"x","key":"k","${name}":{"taskId":"y"}},"id":1}`;
        expect(fieldsOf(((await reply(body)) as RpcReply).error)).toEqual([name]);
      },
    );

    it('that are left out count as an empty object', async () => {
      expect(await reply({ jsonrpc: '2.0', method: 'task.list', id: 1 })).toMatchObject({ result: { totalCount: 1 } });
    });
  });

  it.each(['rpc.nothing', 'rpc.', 'constructor', '__proto__', 'toString', ''])(
    'the method %p does not exist',
    async (method) => {
      expect(await service.error(method)).toStrictEqual(METHOD_NOT_FOUND);
    },
  );

  it('request members that the specification does not name are ignored', async () => {
    const call = { jsonrpc: '2.0', method: 'task.list', params: { parentId: 'nobody' }, id: 1 };
    expect(await reply({ ...call, metadata: { instanceId: 'x' }, result: 1 })).toEqual(await reply(call));
  });

  describe('HTTP', () => {
    it.each(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
      'refuses the method %s, and allows POST',
      async (method) => {
        const { status, headers } = await service.fetch('/rpc', { method });
        expect([status, headers.get('allow')]).toEqual([405, 'POST']);
      },
    );

    it('refuses the method HEAD', async () => {
      expect((await service.fetch('/rpc', { method: 'HEAD' })).status).toBe(405);
    });

    it('responds with 404 for another path', async () => {
      const { status, text } = await service.fetch('/rpc/x', { method: 'POST' });
      expect(status).toBe(404);
      expect(text).not.toContain('node_modules');
    });

    it.each(['text/plain', 'application/xml', 'text/html; charset=utf-8', ''])(
      'refuses the content type %p',
      async (type) => {
        const { status, text } = await service.post('{}', { 'content-type': type });
        expect([status, JSON.parse(text)]).toMatchObject([415, { error: { code: -32600 }, id: null }]);
      },
    );

    it.each([
      'application/json',
      'Application/JSON; Charset=UTF-8',
      'application/json; charset=utf8',
      'application/json-rpc',
    ])('accepts the content type %p', async (type) => {
      expect(JSON.parse((await service.post('[]', { 'content-type': type })).text)).toEqual(INVALID_REQUEST);
    });

    it('responds with a parse error to an empty body', async () => {
      expect(await reply('')).toEqual(PARSE_ERROR);
    });

    it('accepts a body of the largest size, and refuses a larger one', async () => {
      const call = JSON.stringify({ jsonrpc: '2.0', method: 'task.list', params: { parentId: 'nobody' }, id: 1 });
      expect(await reply(call.padEnd(MAX_BODY_BYTES))).toMatchObject({ result: { totalCount: 0 } });
      const { status, text } = await service.post(call.padEnd(MAX_BODY_BYTES + 1));
      expect([status, JSON.parse(text)]).toMatchObject([413, { jsonrpc: '2.0', error: { code: -32600 }, id: null }]);
    });

    it('serves many calls on one connection', async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const ports: (number | undefined)[] = [];
      for (const body of ['[]', 'no JSON', '{"jsonrpc":"2.0","method":"foobar"}', '[]']) {
        const response = await send({ agent }, [body]);
        ports.push(response.socket.localPort);
        response.resume();
        await new Promise((resolve) => response.once('close', resolve));
      }
      agent.destroy();
      expect(new Set(ports).size).toBe(1);
    });

    it('accepts a body in chunks without a content length', async () => {
      const response = await send({}, ['{"jsonrpc":"2.0","me', 'thod":"', 'x","id":"é"}']);
      expect(await json(response)).toEqual({ jsonrpc: '2.0', error: METHOD_NOT_FOUND, id: 'é' });
    });

    it('accepts calls before the reply to the last one', async () => {
      const call = (id: number) => JSON.stringify({ jsonrpc: '2.0', method: 'task.get', params: { id: TASK }, id });
      const pipeline = rawRequest(call(1)) + rawRequest('[]') + rawRequest(call(3), { connection: 'close' });
      const answers = await exchange(service.url, pipeline);
      expect([...answers.matchAll(/"id":(\w+)}(?=HTTP|$)/g)].map(([, id]) => id)).toEqual(['1', 'null', '3']);
    });

    it.each([
      ['a request without a request line', 'garbage\r\n\r\n'],
      ['a header without a name', 'POST /rpc HTTP/1.1\r\n: x\r\n\r\n'],
      [
        'two content lengths',
        'POST /rpc HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n[]',
      ],
      [
        'a content length together with chunks',
        `POST /rpc HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      ],
      [
        'a chunk without a valid length',
        'POST /rpc HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
      ],
    ])('responds with 400 to %s', async (_, bytes) => {
      expect(await exchange(service.url, bytes)).toMatch(/^HTTP\/1\.1 400 /);
    });

    it('stores nothing of an upload that is cut off', async () => {
      const whole = rawRequest(JSON.stringify({ ...create('aborted'), id: 1 }));
      const socket = await openConnection(service.url);
      await new Promise((resolve) => socket.write(whole.slice(0, -1), resolve));
      socket.destroy();
      await new Promise((resolve) => socket.once('close', resolve));
      // Whatever remains of the upload is processed before the next call.
      expect(await reply('[]')).toEqual(INVALID_REQUEST);
      expect(await isStored('aborted')).toBe(false);
    });

    const send = (options: RequestOptions, chunks: readonly string[]) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
        const request = httpRequest(`${service.url}/rpc`, { method: 'POST', headers, ...options }, resolve);
        request.once('error', reject);
        for (const chunk of chunks) request.write(chunk);
        request.end();
      });
  });

  describe('text', () => {
    it('that begins with a byte order mark is a parse error', async () => {
      expect(await reply('\ufeff[]')).toEqual(PARSE_ERROR);
    });

    it.each([
      ['an overlong form', [0xc0, 0xaf]],
      ['a surrogate', [0xed, 0xa0, 0x80]],
      ['an incomplete character', [0xf0, 0x9f, 0xa6]],
      ['Latin-1', [0xe9]],
    ])('with %s is not UTF-8, and is a parse error', async (_, bytes) => {
      const message = Buffer.concat([
        Buffer.from('{"jsonrpc":"2.0","method":"task.get","params":{"id":"'),
        Buffer.from(bytes),
        Buffer.from('"},"id":1}'),
      ]);
      const { status, text } = await service.post(new Uint8Array(message));
      expect([status, JSON.parse(text)]).toEqual([200, PARSE_ERROR]);
    });

    it.each([
      ['key', '"\\u0000"'],
      ['key', '"a\\nb"'],
      ['key', '"\\ud800"'],
      ['key', '"\\udc00\\ud800"'],
      ['content', '"a\\u0000b"'],
      ['content', '"\\ud800"'],
    ])('for the %s is refused if it is %s', async (field, text) => {
      const members = { key: '"refused"', content: '"x"', [field]: text };
      const body = `{"jsonrpc":"2.0","method":"task.create_attachment","params":{"taskId":"${TASK}","type":"text","key":${members.key},"content":${members.content}},"id":1}`;
      expect(fieldsOf(((await reply(body)) as RpcReply).error)).toEqual([field]);
    });

    it('for a URL is refused if it contains U+0000 or a lone surrogate', async () => {
      for (const url of ['https://example.org/\0', 'https://example.org/\ud800']) {
        const error = await service.error('task.create_attachment', { taskId: TASK, key: 'u', type: 'url', url });
        expect(fieldsOf(error)).toEqual(['url']);
      }
    });
  });

  describe('values', () => {
    const createText = (value: string) =>
      `{"jsonrpc":"2.0","method":"task.create_attachment","params":{"taskId":"${TASK}","key":"v","type":"json","value":${value}},"id":1}`;

    it.each([
      ['1e400'],
      ['-1e400'],
      ['[1e-400]'],
      ['9007199254740993'],
      ['{"a":[-9007199254740993]}'],
      ['[123456789012345678901234567890]'],
    ])('like %s keep their spelling, although a double cannot hold the number', async (value) => {
      expect(await reply(createText(value))).toHaveProperty('result');
      const { text } = await service.post(
        `{"jsonrpc":"2.0","method":"task.get_attachment","params":{"taskId":"${TASK}","key":"v"},"id":1}`,
      );
      expect(text).toContain(`"value":${value},`);
      await service.result('task.delete_attachment', { taskId: TASK, key: 'v' });
    });

    it('that are metadata keep the spelling of numbers too', async () => {
      const metadata = '{"snowflake":1234567890123456789,"huge":1e400}';
      const { text } = await service.post(
        `{"jsonrpc":"2.0","method":"task.create","params":{"id":"numbers","text":"x","metadata":${metadata}},"id":1}`,
      );
      expect(text).toContain(`"metadata":${metadata}`);
      await service.result('task.delete', { id: 'numbers' });
    });

    it('may be spelt in escapes that make the request several times as large as the limit', async () => {
      const content = 'я'.repeat(512 * 1024);
      const escaped = content.replaceAll('я', '\\u044f');
      const body = `{"jsonrpc":"2.0","method":"task.create_attachment","params":{"taskId":"${TASK}","key":"v","type":"text","content":"${escaped}"},"id":1}`;
      expect(await reply(body)).toHaveProperty('result');
      const stored = await service.result<{ content: string }>('task.get_attachment', { taskId: TASK, key: 'v' });
      expect(stored.content === content).toBe(true);
      await service.result('task.delete_attachment', { taskId: TASK, key: 'v' });
    });

    it('are refused if they are nested deeper than 64 levels', async () => {
      for (const depth of [65, 100_000]) {
        for (const [open, close] of [
          ['[', ']'],
          ['{"a":', '}'],
        ] as const) {
          const { error } = (await reply(createText(open.repeat(depth) + '1' + close.repeat(depth)))) as RpcReply;
          expect(fieldErrors(error)).toEqual([
            { field: 'value', message: 'must not be nested more than 64 levels deep' },
          ]);
        }
      }
    });

    it('are refused if they are larger than the limit by one byte', async () => {
      const limit = 1024 * 1024;
      const { error } = (await reply(createText(JSON.stringify('x'.repeat(limit - 1))))) as RpcReply;
      expect(fieldErrors(error)).toEqual([
        { field: 'value', message: `must be at most ${limit} bytes, is ${limit + 1}` },
      ]);
    });

    it('may be surrounded by a message of any nesting depth', async () => {
      expect(await reply('['.repeat(1_000_000))).toEqual(PARSE_ERROR);
      expect(await reply('['.repeat(1_000_000) + ']'.repeat(1_000_000))).toEqual([INVALID_REQUEST]);
      const params = '{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000);
      const body = `{"jsonrpc":"2.0","method":"task.list","params":${params},"id":1}`;
      expect(await reply(body)).toMatchObject({ error: { code: -32602 }, id: 1 });
    });
  });

  // This test must run last: it checks that no earlier one has left a trace.
  it('the process is alive after all of these tests, has logged no error, and has stored no part of a refused call', async () => {
    expect((await service.fetch('/livez')).status).toBe(200);
    const levels = service.logLines.map((line) => (JSON.parse(line) as { level: number }).level);
    expect(Math.max(...levels)).toBeLessThan(50);
    expect(service.stderr).toBe('');
    expect(await service.result('task.list_attachments', { taskId: TASK })).toEqual({
      attachments: [],
      totalCount: 0,
      hasMore: false,
    });
    expect(await service.result('task.get', { id: TASK })).toMatchObject({ attachmentCount: 0 });
  });
});
