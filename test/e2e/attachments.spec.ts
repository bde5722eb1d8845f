import { nextMillisecond, until } from '../support/poll';
import type { Service } from '../support/service';
import { openOnServers, SETUPS, withRedis, type Setup } from '../support/setups';
import { ATTACHMENT_ID, ISO_TIME, VERSION, type WireAttachment, type WireAttachmentPage } from '../support/wire-values';

interface Created {
  readonly id: string;
  readonly version: number;
  readonly createdAt: string;
  readonly replaced: boolean;
}

interface WireBatch {
  readonly attachments: readonly (WireAttachment | null)[];
}

let tasks = 0;

/** Creates a task that no other test uses; returns its id. */
async function createTask(service: Service, params: object = {}): Promise<string> {
  const task = { id: `task-${++tasks}`, text: 'a task', ...params };
  await service.result('task.create', task);
  return task.id;
}

/** The results of every method that reads a task's attachments. */
async function answersAbout(service: Service, taskId: string, keys: readonly string[]): Promise<unknown> {
  const list = (params: object) => service.result<WireAttachmentPage>('task.list_attachments', { taskId, ...params });
  return {
    gets: await Promise.all(keys.map((key) => service.result('task.get_attachment', { taskId, key }))),
    list: await list({}),
    page: await list({ limit: 2, offset: 1, order: 'desc' }),
    outlines: await list({ includeBodies: false }),
    filtered: await list({ type: 'json', keyPrefix: 'k' }),
    batch: await service.result<WireBatch>('task.get_attachments_batch', {
      requests: [...keys, 'missing'].map((key) => ({ taskId, key })),
      allowMissing: true,
    }),
    count: (await service.result('task.get', { id: taskId }))['attachmentCount'],
  };
}

describe.each(SETUPS)('attachments, $name', ({ open }) => {
  let setup: Setup;
  let service: Service;

  beforeAll(async () => {
    setup = await open();
    ({ service } = setup);
  });
  afterAll(() => setup?.close());

  const put = (taskId: string, key: string, members: object = { type: 'text', content: 'x' }) =>
    service.result<Created>('task.create_attachment', { taskId, key, ...members });
  const get = (taskId: string, key: string) => service.result<WireAttachment>('task.get_attachment', { taskId, key });
  const list = (taskId: string, params: object = {}) =>
    service.result<WireAttachmentPage>('task.list_attachments', { taskId, ...params });
  const keysOf = ({ attachments }: WireAttachmentPage) => attachments.map(({ key }) => key);
  const fieldsRefused = async (method: string, params: object) => {
    const { code, message, data } = await service.error(method, params);
    expect([code, message]).toEqual([-32602, 'Invalid params']);
    return (data?.['errors'] as { field: string }[]).map(({ field }) => field).sort();
  };
  const notFound = (taskId: string, key: string) => ({
    code: -32602,
    message: `Attachment with key '${key}' not found for task ${taskId}`,
    data: { code: 'ATTACHMENT_NOT_FOUND', taskId, key },
  });

  describe('an attachment', () => {
    it.each([
      [{ type: 'json', value: { a: 1 }, mimeType: 'application/json', size: 1 }],
      [{ type: 'json', value: 0 }],
      [{ type: 'json', value: false }],
      [{ type: 'json', value: '' }],
      [{ type: 'json', value: null }],
      [{ type: 'json', value: [] }],
      [{ type: 'markdown', content: '' }],
      [{ type: 'text', content: 'a\tb\r\n🦊', mimeType: 'text/plain' }],
      [{ type: 'url', url: 'HTTPS://Example.org:443/ä?q=1#f', size: Number.MAX_SAFE_INTEGER }],
      [{ type: 'binary', mimeType: 'application/vnd.x+json' }],
      [{ type: 'binary', mimeType: 'image/png', size: 1, url: 'https://example.org/x.png' }],
    ])('with the members %j is returned as it was given', async (members) => {
      const taskId = await createTask(service);
      const created = await put(taskId, 'k', members);
      expect(created).toStrictEqual({
        id: ATTACHMENT_ID,
        taskId,
        key: 'k',
        type: members.type,
        createdAt: ISO_TIME,
        version: VERSION,
        replaced: false,
      });
      const { id, version, createdAt } = created;
      expect(Number.isSafeInteger(version) && version > 0).toBe(true);
      const whole = { id, taskId, key: 'k', ...members, createdBy: 'instance-1', createdAt, version };
      expect(await get(taskId, 'k')).toStrictEqual({ ...whole, updatedAt: createdAt });
    });

    it.each([
      [{}, ['type']],
      [{ type: 'image', content: 'x' }, ['type']],
      [{ type: 'json' }, ['value']],
      [{ type: 'json', value: 1, content: 'x' }, ['content']],
      [{ type: 'json', value: 1, url: 'https://example.org' }, ['url']],
      [{ type: 'text', value: 1 }, ['content', 'value']],
      [{ type: 'text', content: 7 }, ['content']],
      [{ type: 'text', content: null }, ['content']],
      [{ type: 'url', url: 'x'.repeat(2049) }, ['url']],
      [{ type: 'url', url: '/relative' }, ['url']],
      [{ type: 'url', url: 'ftp://example.org' }, ['url']],
      [{ type: 'url', url: 'https://user:secret@example.org' }, ['url']],
      [{ type: 'url', url: 'https://exa mple.org' }, ['url']],
      [{ type: 'binary' }, ['mimeType']],
      [{ type: 'binary', mimeType: 'nonsense' }, ['mimeType']],
      [{ type: 'binary', mimeType: `a/${'x'.repeat(126)}`, content: 'x' }, ['content', 'mimeType']],
      [{ type: 'text', content: 'x', size: 0 }, ['size']],
      [{ type: 'text', content: 'x', size: 1.5, ttlSeconds: 0 }, ['size', 'ttlSeconds']],
      [{ type: 'text', content: 'x', ttlSeconds: 1.5 }, ['ttlSeconds']],
      [{ type: 'text', content: 'x', ifVersion: 0 }, ['ifVersion']],
      [{ type: 'text', content: 'x', ifVersion: 1.5, ifAbsent: 'yes' }, ['ifAbsent', 'ifVersion']],
    ])('with the members %j is refused', async (members, fields) => {
      expect(await fieldsRefused('task.create_attachment', { taskId: 'any', key: 'k', ...members })).toEqual(fields);
    });

    it('may have a URL of 2,048 characters, or content of one mebibyte but no more', async () => {
      const taskId = await createTask(service);
      const url = 'https://example.org/'.padEnd(2048, 'x');
      await put(taskId, 'url', { type: 'url', url });
      expect((await get(taskId, 'url')).url).toBe(url);
      const content = 'é'.repeat(512 * 1024);
      await put(taskId, 'text', { type: 'text', content });
      expect((await get(taskId, 'text')).content === content).toBe(true);
      const tooLarge = { taskId, key: 'text', type: 'text', content: `${content}.` };
      expect(await fieldsRefused('task.create_attachment', tooLarge)).toEqual(['content']);
    });
  });

  describe('a JSON value', () => {
    const nested = '['.repeat(64) + ']'.repeat(64);

    it.each([
      '{"2":1,"1":2,"b":3,"a":4}',
      '[1.0,-0,0.10,1E2,1e-7,9007199254740992,-9007199254740992,5e-324]',
      '[1e400,-1e400,1e-400,9007199254740993,1234567890123456789,-123456789012345678901234567890]',
      '{"a":1,"a":2}',
      '{"__proto__":{"x":1},"constructor":{"prototype":2},"":3}',
      '"\\u0000\\ud800\\u00e9é\\/\\n\u2028"',
      '{"\\ud800":"\\udc00","\\u0000":[]}',
      '["\u{10ffff}","𝄞","e\u0301"]',
      nested,
    ])('like %s is returned character for character from every store', async (value) => {
      const taskId = await createTask(service);
      const send = (method: string, params: string) =>
        service.post(`{"jsonrpc":"2.0","method":"${method}","params":{${params}},"id":1}`);
      await send('task.create_attachment', `"taskId":"${taskId}","key":"k","type":"json","value":${value}`);
      const answered = async () => [
        await send('task.get_attachment', `"taskId":"${taskId}","key":"k"`),
        await send('task.list_attachments', `"taskId":"${taskId}"`),
        await send('task.get_attachments_batch', `"requests":[{"taskId":"${taskId}","key":"k"}]`),
        await send('task.get_attachment', `"taskId":"${taskId}","key":"k"`),
      ];
      const texts = await answered();
      if (setup.servers) {
        await setup.forgetCache();
        texts.push(...(await answered()));
      }
      for (const { text } of texts) {
        expect(/"value":(.*),"createdBy"/s.exec(text)?.[1]).toBe(value);
      }
    });

    it('is stored and measured without the white space between its tokens', async () => {
      const taskId = await createTask(service);
      await service.post(
        `{"jsonrpc":"2.0","method":"task.create_attachment","params":{"taskId":"${taskId}","key":"k","type":"json",\n` +
          `"value" : { "b" :\t[ 1 , 2 ] ,\r\n "a" : " é " } },"id":1}`,
      );
      const { text } = await service.post(
        `{"jsonrpc":"2.0","method":"task.get_attachment","params":{"taskId":"${taskId}","key":"k"},"id":1}`,
      );
      expect(text).toContain('"value":{"b":[1,2],"a":" é "}');
      const { attachments } = await list(taskId, { includeBodies: false });
      expect(attachments[0]?.bytes).toBe(Buffer.byteLength('{"b":[1,2],"a":" é "}'));
    });
  });

  describe('keys', () => {
    it.each([
      ':',
      'a:attachment:b',
      '../../etc/passwd',
      'a/b?c=d&e#f',
      '%00%2F',
      '{42}',
      '*',
      '[a-z]',
      ' ',
      '\\',
      '"',
      "'; DROP TABLE tasks; --",
      '__proto__',
      'constructor',
      'Ω≈ç√∫',
      '\u200b',
      '🦊'.repeat(100),
      '👩‍👩‍👧‍👦',
    ])('the key %s is accepted by every method', async (key) => {
      const taskId = await createTask(service);
      await put(taskId, key, { type: 'json', value: key });
      expect(await get(taskId, key)).toMatchObject({ key, value: key });
      expect(keysOf(await list(taskId))).toEqual([key]);
      expect(keysOf(await list(taskId, { keyPrefix: key }))).toEqual([key]);
      const batch = await service.result<WireBatch>('task.get_attachments_batch', { requests: [{ taskId, key }] });
      expect(batch.attachments[0]?.value).toBe(key);
      expect(await service.result('task.delete_attachment', { taskId, key })).toMatchObject({ key, deleted: true });
      expect(await service.error('task.get_attachment', { taskId, key })).toEqual(notFound(taskId, key));
    });

    it.each(['', 'x'.repeat(101), '🦊'.repeat(101), 'a\nb', '\u007f', '\u0085', 7, null])(
      'the key %j is refused',
      async (key) => {
        const body = { type: 'text', content: 'x' };
        expect(await fieldsRefused('task.create_attachment', { taskId: 'any', key, ...body })).toEqual(['key']);
        for (const method of ['task.get_attachment', 'task.delete_attachment']) {
          expect(await fieldsRefused(method, { taskId: 'any', key })).toEqual(['key']);
        }
        const requests = [
          { taskId: 'any', key: 'fine' },
          { taskId: 'any', key },
        ];
        expect(await fieldsRefused('task.get_attachments_batch', { requests })).toEqual(['requests[1].key']);
      },
    );

    it.each(['', 'a b', 'a:b', '../x', 'x'.repeat(129), 7, null])('the task id %j is refused', async (taskId) => {
      const body = { key: 'k', type: 'text', content: 'x' };
      expect(await fieldsRefused('task.create_attachment', { taskId, ...body })).toEqual(['taskId']);
      expect(await fieldsRefused('task.list_attachments', { taskId })).toEqual(['taskId']);
    });

    it('keys that differ only in their spelling name different attachments', async () => {
      const taskId = await createTask(service);
      const keys = ['é', 'e\u0301', 'É', 'k', 'K', 'k '];
      for (const key of keys) await put(taskId, key, { type: 'json', value: key });
      for (const key of keys) expect((await get(taskId, key)).value).toBe(key);
      expect((await list(taskId)).totalCount).toBe(keys.length);
    });

    it('a key names different attachments in different tasks', async () => {
      const taskId = await createTask(service);
      const other = await createTask(service, { id: `${taskId}.attachments` });
      await put(taskId, 's', { type: 'json', value: 1 });
      await put(other, 's', { type: 'json', value: 2 });
      expect((await get(taskId, 's')).value).toBe(1);
      expect((await get(other, 's')).value).toBe(2);
    });
  });

  describe('an overwrite', () => {
    it('keeps the id, the creation time and the author of the old attachment, and nothing else', async () => {
      const taskId = await createTask(service);
      const old = { type: 'url', url: 'https://example.org', mimeType: 'text/html', size: 5, ttlSeconds: 1000 };
      const first = await put(taskId, 'k', old);
      await get(taskId, 'k');
      await nextMillisecond();
      const second = await service.result<Created>(
        'task.create_attachment',
        { taskId, key: 'k', type: 'json', value: null },
        { 'x-instance-id': 'another' },
      );
      const { id, createdAt } = first;
      expect(second).toMatchObject({ id, createdAt, replaced: true });
      expect(second.version).toBeGreaterThan(first.version);
      const after = await get(taskId, 'k');
      expect(after).toStrictEqual({
        id,
        taskId,
        key: 'k',
        type: 'json',
        value: null,
        createdBy: 'instance-1',
        createdAt,
        updatedAt: ISO_TIME,
        version: second.version,
      });
      expect(after.updatedAt > createdAt).toBe(true);
    });

    it('gets its own version when many run at once, and the highest version stays', async () => {
      const taskId = await createTask(service);
      const writes = await Promise.all(
        Array.from({ length: 20 }, async (_, value) => ({
          value,
          ...(await put(taskId, 'k', { type: 'json', value })),
        })),
      );
      const highest = writes.reduce((a, b) => (a.version > b.version ? a : b));
      expect(new Set(writes.map(({ version }) => version)).size).toBe(20);
      expect(writes.filter(({ replaced }) => !replaced)).toHaveLength(1);
      expect(await get(taskId, 'k')).toMatchObject({ value: highest.value, version: highest.version });
      expect((await list(taskId)).attachments).toMatchObject([{ value: highest.value, version: highest.version }]);
    });

    it('after a deletion creates a new attachment', async () => {
      const taskId = await createTask(service);
      const first = await put(taskId, 'k');
      await service.result('task.delete_attachment', { taskId, key: 'k' });
      const second = await put(taskId, 'k');
      expect(second.replaced).toBe(false);
      expect(second.id).not.toBe(first.id);
      expect(second.version).toBeGreaterThan(first.version);
    });
  });

  describe('conditions', () => {
    const body = { type: 'text', content: 'x' };
    const conflict = (taskId: string, currentVersion: number | null) => ({
      code: -32005,
      message: 'Conflict',
      data: { code: 'VERSION_CONFLICT', taskId, key: 'k', currentVersion },
    });
    const refusal = (taskId: string, condition: object) =>
      service.error('task.create_attachment', { taskId, key: 'k', ...body, ...condition });

    it('ifAbsent holds unless the key has a live attachment', async () => {
      const taskId = await createTask(service);
      const { version } = await put(taskId, 'k', { ...body, ifAbsent: true });
      expect(await refusal(taskId, { ifAbsent: true })).toEqual(conflict(taskId, version));
      await service.result('task.delete_attachment', { taskId, key: 'k' });
      expect(await put(taskId, 'k', { ...body, ifAbsent: true })).toMatchObject({ replaced: false });
    });

    it('ifAbsent has no effect if it is false', async () => {
      const taskId = await createTask(service);
      await put(taskId, 'k', { ...body, ifAbsent: false });
      expect(await put(taskId, 'k', { ...body, ifAbsent: false })).toMatchObject({ replaced: true });
    });

    it('ifVersion holds for the current version only', async () => {
      const taskId = await createTask(service);
      expect(await refusal(taskId, { ifVersion: 7 })).toEqual(conflict(taskId, null));
      const first = await put(taskId, 'k');
      const second = await put(taskId, 'k', { ...body, ifVersion: first.version });
      expect(second).toMatchObject({ replaced: true });
      expect(await refusal(taskId, { ifVersion: first.version })).toEqual(conflict(taskId, second.version));
      await service.result('task.delete_attachment', { taskId, key: 'k' });
      expect(await refusal(taskId, { ifVersion: second.version })).toEqual(conflict(taskId, null));
    });

    it('ifVersion on a deletion holds for the current version only', async () => {
      const taskId = await createTask(service);
      const { version } = await put(taskId, 'k');
      const removal = { taskId, key: 'k', ifVersion: version - 1 };
      expect(await service.error('task.delete_attachment', removal)).toEqual(conflict(taskId, version));
      expect(await get(taskId, 'k')).toMatchObject({ version });
      const { deleted } = await service.result<{ deleted: boolean }>('task.delete_attachment', {
        ...removal,
        ifVersion: version,
      });
      expect(deleted).toBe(true);
      expect(await service.error('task.delete_attachment', removal)).toEqual(conflict(taskId, null));
    });

    it('ifAbsent and ifVersion exclude each other', async () => {
      const params = { taskId: 'any', key: 'k', ...body, ifAbsent: true, ifVersion: 1 };
      expect(await fieldsRefused('task.create_attachment', params)).toEqual(['ifAbsent']);
    });

    it.each(['ifAbsent', 'ifVersion'])('exactly one of many simultaneous writers with %s succeeds', async (name) => {
      const taskId = await createTask(service);
      const condition = name === 'ifAbsent' ? { ifAbsent: true } : { ifVersion: (await put(taskId, 'k')).version };
      const replies = await Promise.all(
        Array.from({ length: 10 }, () =>
          service.rpc('task.create_attachment', { taskId, key: 'k', ...body, ...condition }),
        ),
      );
      const [winner, ...others] = replies.flatMap(({ result }) => (result ? [result as unknown as Created] : []));
      expect(others).toEqual([]);
      const { version } = winner as Created;
      const refusals = replies.flatMap(({ error }) => (error ? [error] : []));
      expect(refusals).toEqual(new Array(9).fill(conflict(taskId, version)));
      expect(await get(taskId, 'k')).toMatchObject({ version });
    });
  });

  describe('time to live', () => {
    it('an attachment with a time to live shows when it expires, and is absent from every reply after that', async () => {
      const taskId = await createTask(service);
      await put(taskId, 'stays', { type: 'text', content: 'x', ttlSeconds: 3600 });
      const { createdAt } = await put(taskId, 'goes', { type: 'text', content: 'x', ttlSeconds: 1 });
      const expiresAt = new Date(Date.parse(createdAt) + 1000).toISOString();
      expect(await get(taskId, 'goes')).toMatchObject({ createdAt, expiresAt });
      // Both are cached now, and the index is complete.
      expect(keysOf(await list(taskId))).toEqual(['stays', 'goes']);

      const { error } = await until('it has expired', async () => {
        const reply = await service.rpc('task.get_attachment', { taskId, key: 'goes' });
        return reply.error && reply;
      });
      expect(error).toEqual(notFound(taskId, 'goes'));
      expect(await list(taskId)).toMatchObject({ attachments: [{ key: 'stays' }], totalCount: 1, hasMore: false });
      expect(await list(taskId, { keyPrefix: 'g' })).toMatchObject({ attachments: [], totalCount: 0 });
      expect(await service.result('task.get', { id: taskId })).toMatchObject({ attachmentCount: 1 });
      const requests = [{ taskId, key: 'goes' }];
      const batch = await service.result('task.get_attachments_batch', { requests, allowMissing: true });
      expect(batch).toEqual({ attachments: [null] });
      expect(await service.error('task.delete_attachment', { taskId, key: 'goes' })).toMatchObject({ code: -32602 });
      expect(await put(taskId, 'goes', { type: 'text', content: 'new', ifAbsent: true })).toMatchObject({
        replaced: false,
      });
      expect(await get(taskId, 'goes')).not.toHaveProperty('expiresAt');
    });

    it('an overwrite without a time to live removes the old one', async () => {
      const taskId = await createTask(service);
      await put(taskId, 'k', { type: 'text', content: 'x', ttlSeconds: 1 });
      await put(taskId, 'k', { type: 'text', content: 'y' });
      await put(taskId, 'witness', { type: 'text', content: 'x', ttlSeconds: 1 });
      await until('the witness has expired', async () => (await list(taskId)).totalCount === 1);
      expect(await get(taskId, 'k')).toMatchObject({ content: 'y' });
    });
  });

  describe('task.list_attachments', () => {
    let taskId: string;
    let taskOfTies: string;
    /** Sorted by their UTF-8 bytes, which is not the order of JavaScript's strings. */
    const tied = ['!', 'A', 'a', 'a:1', 'a:2', 'aa', 'é', '\ufb01', '\uff5e', '\u{10000}', '🦊'];

    beforeAll(async () => {
      taskId = await createTask(service);
      for (const [key, members] of [
        ['z-json', { type: 'json', value: { é: 1 } }],
        ['b-text', { type: 'text', content: 'häh' }],
        ['b-markdown', { type: 'markdown', content: '' }],
        ['a-url', { type: 'url', url: 'https://example.org' }],
        ['b-json', { type: 'json', value: 0 }],
        ['a-binary', { type: 'binary', mimeType: 'image/png' }],
      ] as const) {
        await nextMillisecond();
        await put(taskId, key, members);
      }
      // Attachments that are created together with their task share one creation time.
      const data = Object.fromEntries([...tied].reverse().map((key) => [key, key]));
      taskOfTies = await createTask(service, { metadata: { data } });
    });

    it.each([
      [{}, 'z-json b-text b-markdown a-url b-json a-binary'],
      [{ order: 'desc' }, 'a-binary b-json a-url b-markdown b-text z-json'],
      [{ type: 'json' }, 'z-json b-json'],
      [{ type: 'json', order: 'desc' }, 'b-json z-json'],
      [{ keyPrefix: 'b-' }, 'b-text b-markdown b-json'],
      [{ keyPrefix: 'b-', type: 'json' }, 'b-json'],
      [{ keyPrefix: '' }, 'z-json b-text b-markdown a-url b-json a-binary'],
      [{ keyPrefix: 'B' }, ''],
      [{ keyPrefix: 'b%' }, ''],
      [{ keyPrefix: 'b_text' }, ''],
    ])('returns the selected attachments in order for %j', async (params, keys) => {
      const expected = keys === '' ? [] : keys.split(' ');
      for (const includeBodies of [true, false]) {
        const page = await list(taskId, { ...params, includeBodies });
        expect(keysOf(page)).toEqual(expected);
        expect([page.totalCount, page.hasMore]).toEqual([expected.length, false]);
      }
    });

    it('returns the length of each body in its place if bodies are not wanted', async () => {
      const { attachments } = await list(taskId, { includeBodies: false });
      const whole = await list(taskId);
      expect(attachments).toStrictEqual(
        whole.attachments.map(({ value, content, ...rest }) => {
          const text = content ?? (value === undefined ? undefined : JSON.stringify(value));
          return text === undefined ? rest : { ...rest, bytes: Buffer.byteLength(text) };
        }),
      );
      expect(attachments.map(({ bytes }) => bytes)).toEqual([8, 4, 0, undefined, 1, undefined]);
    });

    it.each(['asc', 'desc'])(
      'orders attachments of one creation time by the bytes of their keys on all pages: %s',
      async (order) => {
        const expected = order === 'asc' ? tied : [...tied].reverse();
        expect(keysOf(await list(taskOfTies, { order }))).toEqual(expected);
        for (const limit of [1, 3, 4]) {
          const paged: string[] = [];
          for (let offset = 0; offset < tied.length; offset += limit) {
            const page = await list(taskOfTies, { order, limit, offset });
            expect([page.totalCount, page.hasMore]).toEqual([tied.length, offset + limit < tied.length]);
            paged.push(...keysOf(page));
          }
          expect(paged).toEqual(expected);
        }
      },
    );

    it('returns a page of a filtered list', async () => {
      expect(await list(taskId, { keyPrefix: 'b-', limit: 1, offset: 1 })).toMatchObject({
        attachments: [{ key: 'b-markdown' }],
        totalCount: 3,
        hasMore: true,
      });
    });

    it('returns an empty page past the end', async () => {
      expect(await list(taskId, { offset: 6 })).toEqual({ attachments: [], totalCount: 6, hasMore: false });
      expect(await list(taskId, { offset: Number.MAX_SAFE_INTEGER })).toMatchObject({ attachments: [] });
    });

    it('returns 50 attachments by default, and 100 at most', async () => {
      const data = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, i]));
      const large = await createTask(service, { metadata: { data } });
      await Promise.all(Array.from({ length: 20 }, (_, i) => put(large, `k${100 + i}`, { type: 'json', value: i })));
      for (const [limit, count] of [
        [undefined, 50],
        [100, 100],
      ]) {
        const page = await list(large, { limit });
        expect([page.attachments.length, page.totalCount, page.hasMore]).toEqual([count, 120, true]);
      }
      expect(keysOf(await list(large, { limit: 100, offset: 100 }))).toHaveLength(20);
    });

    it.each([
      [{ limit: 0 }, ['limit']],
      [{ limit: 101, offset: -1 }, ['limit', 'offset']],
      [{ type: 'image', order: 'up' }, ['order', 'type']],
      [{ includeBodies: 'no', keyPrefix: 'a\n' }, ['includeBodies', 'keyPrefix']],
    ])('refuses %j', async (params, fields) => {
      expect(await fieldsRefused('task.list_attachments', { taskId: 'any', ...params })).toEqual(fields);
    });
  });

  describe('task.get_attachments_batch', () => {
    it('returns attachments in the order of the requests, across tasks and with repetitions', async () => {
      const [one, two] = [await createTask(service), await createTask(service)];
      await put(one, 'a', { type: 'json', value: 1 });
      await put(one, 'b', { type: 'json', value: 2 });
      await put(two, 'a', { type: 'json', value: 3 });
      const requests = [
        { taskId: two, key: 'a' },
        { taskId: one, key: 'b' },
        { taskId: one, key: 'a' },
        { taskId: two, key: 'a' },
      ];
      const { attachments } = await service.result<WireBatch>('task.get_attachments_batch', { requests });
      expect(attachments).toEqual([await get(two, 'a'), await get(one, 'b'), await get(one, 'a'), await get(two, 'a')]);
    });

    it('fails as a whole if one attachment is missing, unless allowMissing is set', async () => {
      const taskId = await createTask(service);
      await put(taskId, 'a');
      for (const missing of [
        { taskId, key: 'b' },
        { taskId: 'nobody', key: 'a' },
      ]) {
        const requests = [{ taskId, key: 'a' }, missing];
        expect(await service.error('task.get_attachments_batch', { requests })).toEqual({
          code: -32602,
          message: `Attachment not found: ${missing.taskId}/${missing.key}`,
          data: { code: 'ATTACHMENT_NOT_FOUND', ...missing },
        });
        const batch = await service.result('task.get_attachments_batch', { requests, allowMissing: true });
        expect(batch).toEqual({ attachments: [await get(taskId, 'a'), null] });
      }
    });

    it('accepts 1 to 100 requests', async () => {
      const taskId = await createTask(service);
      const requests = Array.from({ length: 101 }, (_, i) => ({ taskId, key: `k${i}` }));
      const batch = { requests: requests.slice(1), allowMissing: true };
      const { attachments } = await service.result<WireBatch>('task.get_attachments_batch', batch);
      expect(attachments).toEqual(new Array(100).fill(null));
      for (const wrong of [requests, [], 'x', null, undefined]) {
        expect(await fieldsRefused('task.get_attachments_batch', { requests: wrong })).toEqual(['requests']);
      }
    });

    it('names every invalid request', async () => {
      const requests = [{ taskId: 'a', key: 'k' }, { taskId: 'a b' }, 'x', { taskId: 'a', key: 'k', extra: 1 }];
      expect(await fieldsRefused('task.get_attachments_batch', { requests, allowMissing: 1 })).toEqual([
        'allowMissing',
        'requests[1].key',
        'requests[1].taskId',
        'requests[2]',
        'requests[3].extra',
      ]);
    });
  });

  describe('task.delete_attachment', () => {
    it('removes the attachment from every reply, and succeeds only once', async () => {
      const taskId = await createTask(service);
      const { id } = await put(taskId, 'k');
      await put(taskId, 'other');
      await list(taskId);
      await get(taskId, 'k');
      const deleted = await service.result('task.delete_attachment', { taskId, key: 'k' });
      expect(deleted).toStrictEqual({ id, taskId, key: 'k', deleted: true, deletedAt: ISO_TIME });
      expect(await service.error('task.delete_attachment', { taskId, key: 'k' })).toEqual({
        ...notFound(taskId, 'k'),
        message: `Attachment 'k' not found for task ${taskId}`,
      });
      expect(await service.error('task.get_attachment', { taskId, key: 'k' })).toEqual(notFound(taskId, 'k'));
      expect(await list(taskId)).toMatchObject({ attachments: [{ key: 'other' }], totalCount: 1 });
    });

    it('succeeds for exactly one of many simultaneous deletions', async () => {
      const taskId = await createTask(service);
      await put(taskId, 'k');
      const replies = await Promise.all(
        Array.from({ length: 10 }, () => service.rpc('task.delete_attachment', { taskId, key: 'k' })),
      );
      expect(replies.filter(({ result }) => result)).toHaveLength(1);
    });

    it('deletes an attachment that is not cached', async () => {
      const taskId = await createTask(service);
      await put(taskId, 'k');
      await setup.forgetCache();
      ({ service } = setup);
      await service.result('task.delete_attachment', { taskId, key: 'k' });
      expect(await service.error('task.get_attachment', { taskId, key: 'k' })).toEqual(notFound(taskId, 'k'));
    });
  });

  it('a cold cache gives the same replies as a warm one', async () => {
    const taskId = await createTask(service, { metadata: { data: { k1: { b: 1, a: 2 }, k2: null } } });
    await put(taskId, 'k3', { type: 'text', content: '', mimeType: 'text/plain', ttlSeconds: 3600 });
    await put(taskId, 'k4', { type: 'url', url: 'https://example.org', size: 3 });
    await put(taskId, 'k5', { type: 'binary', mimeType: 'image/png' });
    const keys = ['k1', 'k2', 'k3', 'k4', 'k5'];
    const first = await answersAbout(service, taskId, keys);
    const warm = await answersAbout(service, taskId, keys);
    await setup.forgetCache();
    ({ service } = setup);
    const cold = await answersAbout(service, taskId, keys);
    expect([first, cold]).toEqual([warm, warm]);
    expect(await answersAbout(service, taskId, keys)).toEqual(warm);
  });
});

describe('attachments of a task whose cached data is partly lost', () => {
  const keys = ['k1', 'k2', 'k3', 'k4'];
  let setup: Setup;

  beforeAll(async () => (setup = await openOnServers()));
  afterAll(() => setup?.close());

  it.each([
    ['one body', (taskId: string) => [['del', `cb:task:${taskId}:attachment:k2`]]],
    ['all bodies', (taskId: string) => keys.map((key) => ['del', `cb:task:${taskId}:attachment:${key}`])],
    ['a member of the index', (taskId: string) => [['zrem', `cb:task:${taskId}:attachments`, 'k3']]],
    ['the index', (taskId: string) => [['del', `cb:task:${taskId}:attachments`]]],
    ['the control', (taskId: string) => [['del', `cb:task:${taskId}:control`]]],
    [
      'the control and a body',
      (taskId: string) => [['del', `cb:task:${taskId}:control`, `cb:task:${taskId}:attachment:k1`]],
    ],
    ['a record', (taskId: string) => [['hdel', `cb:task:${taskId}:control`, 'r:k1']]],
    [
      'a member of the index, with another in its place',
      (taskId: string) => [
        ['zrem', `cb:task:${taskId}:attachments`, 'k3'],
        ['zadd', `cb:task:${taskId}:attachments`, '1', 'stranger'],
      ],
    ],
    [
      'a body, with a value of another type in its place',
      (taskId: string) => [['set', `cb:task:${taskId}:attachment:k2`, 'x']],
    ],
    [
      'the index, with a value of another type in its place',
      (taskId: string) => [['set', `cb:task:${taskId}:attachments`, 'x']],
    ],
  ])('are returned completely after the loss of %s', async (_, commands) => {
    const { service, servers } = setup;
    const data = { k1: { b: 1, a: 2 }, k2: 'x', k3: [null], k4: 0 };
    const taskId = await createTask(service, { metadata: { data } });
    await answersAbout(service, taskId, keys);
    const warm = await answersAbout(service, taskId, keys);
    await withRedis(servers?.redis.url as string, async (redis) => {
      for (const [command, ...args] of commands(taskId)) {
        // Zero would mean that the command changed nothing.
        expect(await redis.call(command as string, ...args)).not.toBe(0);
      }
    });
    // Twice, because what the first replies leave in the cache must be right too.
    expect(await answersAbout(service, taskId, keys)).toEqual(warm);
    expect(await answersAbout(service, taskId, keys)).toEqual(warm);
  });
});
