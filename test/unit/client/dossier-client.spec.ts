import {
  CallTimeoutError,
  ConnectionError,
  DegradedError,
  DossierClient,
  InvalidParamsError,
  OverloadedError,
  ResponseError,
  RpcError,
  ShuttingDownError,
  StoreFailedError,
  TaskNotFoundError,
  UnauthorizedError,
  VersionConflictError,
  type BatchCall,
  type ClientOptions,
  type DossierError,
} from '../../../client/src/dossier-client';
import { describeError, ERROR_WORDS } from '../../../src/inbound/methods/error-descriptions';

interface Sent {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly calls: readonly { id: number; method: string; params: unknown }[];
  readonly isBatch: boolean;
}

type Reply = { result: unknown } | { error: { code: number; message: string; data?: object } };
type Respond = (sent: Sent, attempt: number) => Response | Promise<Response>;

const ID = { id: 't' };
const TASK = { id: 't', status: 'pending' };
const UNAVAILABLE = rpcError(-32001, { code: 'STORE_UNAVAILABLE', reason: 'Database unavailable', retryable: true });
const TIMED_OUT = rpcError(-32500, { code: 'TIMEOUT', reason: 'Database timeout' });
const PUT = { taskId: 't', key: 'k', type: 'text', content: '' } as const;

function rpcError(code: number, data?: object): Reply {
  return { error: { code, message: 'a message', data } };
}

/** One reply for each call, in the reverse order: a client must look at the ids. */
function replies({ calls, isBatch }: Sent, ...given: readonly Reply[]): Response {
  const all = calls.map(({ id }, i) => ({ jsonrpc: '2.0', id, ...(given[i] ?? given[0]) }));
  return Response.json(isBatch ? all.reverse() : all[0]);
}

/** A client whose requests get their replies from `respond`, and what it has sent. */
function clientOf(respond: Respond, options: Partial<ClientOptions> = {}) {
  const sent: Sent[] = [];
  const fetch: ClientOptions['fetch'] = async (url, { headers, body = '', signal }) => {
    const message = JSON.parse(body) as Sent['calls'][number] | Sent['calls'];
    const request = { url, headers, calls: [message].flat() as Sent['calls'], isBatch: Array.isArray(message) };
    sent.push(request);
    const answer = await respond(request, sent.length);
    signal.throwIfAborted();
    return answer;
  };
  // Nothing is waited for: no part of the time between two attempts is left.
  const client = new DossierClient({ url: 'http://service/', fetch, random: () => 0, ...options });
  return { client, sent };
}

const failureOf = (promise: Promise<unknown>): Promise<DossierError> =>
  promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: DossierError) => error,
  );

describe('DossierClient', () => {
  it('sends one call as JSON-RPC, and returns its result', async () => {
    const { client, sent } = clientOf((request) => replies(request, { result: TASK }));
    expect(await client.call('task.get', ID)).toEqual(TASK);
    expect(sent).toMatchObject([
      { url: 'http://service/rpc', isBatch: false, calls: [{ method: 'task.get', params: ID }] },
    ]);
    expect(sent[0]?.headers).toEqual({ 'content-type': 'application/json' });
    expect(await client.call('task.list')).toEqual(TASK);
    expect(sent[1]?.calls[0]).toMatchObject({ params: {} });
  });

  it.each([
    [{ apiKey: 'key' }, { 'x-api-key': 'key' }],
    [{ token: 'a.b.c' }, { authorization: 'Bearer a.b.c' }],
    [{ token: () => Promise.resolve('fresh') }, { authorization: 'Bearer fresh' }],
    // The bytes of UTF-8, as headers carry them.
    [{ instanceId: 'é' }, { 'x-instance-id': 'Ã©' }],
  ])('sends its credential as a header: %p', async (credential, headers) => {
    const { client, sent } = clientOf((request) => replies(request, { result: TASK }), credential);
    await client.call('task.get', ID);
    expect(sent[0]?.headers).toMatchObject(headers);
  });

  it('takes its address as a URL, too, from a caller without types', async () => {
    const url = new URL('http://service') as unknown as string;
    const { client, sent } = clientOf((request) => replies(request, { result: TASK }), { url });
    await client.call('task.get', ID);
    expect(sent[0]?.url).toBe('http://service/rpc');
  });

  it('leaves it to the service what is wrong with a method that it does not know', async () => {
    const unknown = { error: { code: -32601, message: 'Method not found' } };
    const { client, sent } = clientOf((request) => replies(request, unknown, { result: { degraded: true } }));
    const method = 'task.clone' as 'task.get';
    expect(await failureOf(client.call(method, ID))).toMatchObject({ code: -32601, retryable: false });
    const [, newer] = await client.batch([
      { method, params: ID },
      { method, params: ID },
    ]);
    expect(newer).toEqual({ ok: true, result: { degraded: true } });
    expect(sent).toHaveLength(2);
  });

  it('refuses options that cannot be used', () => {
    expect(() => new DossierClient({})).toThrow('url must be');
    expect(() => new DossierClient({ url: 'localhost' })).toThrow('url must be');
    expect(() => new DossierClient({ url: 'ftp://x' })).toThrow('url must be');
    expect(() => new DossierClient({ url: 'http://x', apiKey: 'k', token: 't' })).toThrow('cannot be used together');
  });

  describe('an error of the service', () => {
    it.each(ERROR_WORDS)('%s has a class of its own, and says whether it may pass', async (word) => {
      const { code, message, retryable } = describeError(word);
      const data = { code: word };
      const { client } = clientOf((request) => replies(request, { error: { code, message, data } }), { retries: 0 });
      const error = await failureOf(client.call('task.get', ID));
      expect(error).toBeInstanceOf(RpcError);
      expect(error.constructor).not.toBe(RpcError);
      expect(error.name.replace(/Error$/, '').toUpperCase()).toBe(word.replaceAll('_', '').replace(/ERROR$/, ''));
      expect(error).toMatchObject({ code, message, data, retryable });
    });

    it('has the facts of its data, typed', async () => {
      const errors = [{ field: 'limit', message: 'must be an integer' }];
      const { client } = clientOf((request) => replies(request, rpcError(-32602, { code: 'INVALID_PARAMS', errors })));
      const error = await failureOf(client.call('task.list', { limit: 0 }));
      expect(error instanceof InvalidParamsError && error.data.errors[0]?.field).toBe('limit');
    });

    it.each([
      [{ code: -32601, message: 'Method not found' }, false],
      [{ code: -32001, message: 'x', data: { code: 'OF_A_NEWER_RELEASE' } }, true],
    ])('without a known word is an RpcError: %p', async (wire, retryable) => {
      const { client } = clientOf((request) => replies(request, { error: wire }), { retries: 0 });
      const error = await failureOf(client.call('task.get', ID));
      expect([error.constructor, error.retryable]).toEqual([RpcError, retryable]);
    });

    it('with the id null is that of the call', async () => {
      const body = { jsonrpc: '2.0', id: null, error: { code: -32002, message: 'x', data: { code: 'UNAUTHORIZED' } } };
      const { client } = clientOf(() => Response.json(body));
      expect(await failureOf(client.call('task.get', ID))).toBeInstanceOf(UnauthorizedError);
    });
  });

  it.each([
    ['text', () => new Response('<h1>nginx</h1>', { status: 502 }), 502, true],
    ['another JSON', () => Response.json({ detail: 'Not Found' }, { status: 404 }), 404, false],
    ['the reply to another call', () => Response.json({ jsonrpc: '2.0', id: 'x', result: 1 }), 200, false],
    ['null', () => Response.json(null), 200, false],
  ])('a response that is %s is a ResponseError', async (_, response, status, retryable) => {
    const { client } = clientOf(response, { retries: 0 });
    const error = await failureOf(client.call('task.get', ID));
    expect(error).toBeInstanceOf(ResponseError);
    expect(error).toMatchObject({ status, retryable });
  });

  describe('repeats', () => {
    const failOnce =
      (failure: Reply): Respond =>
      (request, attempt) =>
        replies(request, attempt === 1 ? failure : { result: TASK });

    it.each([
      ['-32001', failOnce(UNAVAILABLE)],
      ['-32500', failOnce(TIMED_OUT)],
      [
        'a 503 without a JSON-RPC reply',
        (request: Sent, n: number) =>
          n === 1 ? new Response('', { status: 503 }) : replies(request, { result: TASK }),
      ],
      [
        'a broken connection',
        (request: Sent, n: number) =>
          n === 1 ? Promise.reject(new TypeError('x')) : replies(request, { result: TASK }),
      ],
    ])('a read after %s', async (_, respond) => {
      const { client, sent } = clientOf(respond);
      expect(await client.call('task.get', ID)).toEqual(TASK);
      expect(sent).toHaveLength(2);
      expect(sent[0]?.calls[0]?.id).not.toBeUndefined();
    });

    it('at most as often as it is told, and says how often that was', async () => {
      const { client, sent } = clientOf((request) => replies(request, UNAVAILABLE), { retries: 2 });
      expect(await failureOf(client.call('task.get', ID))).toMatchObject({ attempts: 3 });
      expect(sent).toHaveLength(3);
      expect(await failureOf(client.call('task.get', ID, { retries: 0 }))).toMatchObject({ attempts: 1 });
    });

    it.each([
      ['task.create with an id', 'task.create', { id: 't', text: 'x' }],
      ['task.create_attachment', 'task.create_attachment', PUT],
      ['task.complete', 'task.complete', { id: 't' }],
      ['task.delete', 'task.delete', { id: 't' }],
    ] as const)('%s, which is safe to repeat', async (_, method, params) => {
      const { client, sent } = clientOf(failOnce(UNAVAILABLE));
      const [outcome] = await client.batch([{ method, params } as BatchCall]);
      expect([outcome?.ok, sent.length]).toEqual([true, 2]);
    });

    it.each([
      ['task.create without an id', 'task.create', { text: 'x' }],
      ['a create with ifAbsent', 'task.create_attachment', { ...PUT, ifAbsent: true }],
      ['a create with ifVersion', 'task.create_attachment', { ...PUT, ifVersion: 2 }],
      ['a delete with ifVersion', 'task.delete_attachment', { taskId: 't', key: 'k', ifVersion: 2 }],
    ] as const)('never %s', async (_, method, params) => {
      const { client, sent } = clientOf((request) => replies(request, UNAVAILABLE));
      const [outcome] = await client.batch([{ method, params } as BatchCall]);
      expect([outcome?.ok, sent.length]).toEqual([false, 1]);
    });

    it.each([-32602, -32601, -32000, -32002, -32005, -32603])('no call after %d', async (code) => {
      const { client, sent } = clientOf((request) => replies(request, rpcError(code)));
      await failureOf(client.call('task.get', ID));
      expect(sent).toHaveLength(1);
    });
  });

  describe('the time between two attempts', () => {
    beforeEach(() => jest.useFakeTimers());
    afterEach(() => jest.useRealTimers());

    /** When each attempt was made. */
    async function attemptsAt(
      random: number,
      response: () => Response,
      timeoutMs = 60_000,
    ): Promise<readonly number[]> {
      const startMs = performance.now();
      const at: number[] = [];
      const respond = () => {
        at.push(performance.now() - startMs);
        return response();
      };
      const { client } = clientOf(respond, { random: () => random, timeoutMs });
      const failure = failureOf(client.call('task.get', ID));
      await jest.advanceTimersByTimeAsync(timeoutMs);
      expect(await failure).toBeInstanceOf(ShuttingDownError);
      return at;
    }
    const shuttingDown =
      (headers: Record<string, string> = {}) =>
      () =>
        Response.json(
          { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'x', data: { code: 'SHUTTING_DOWN' } } },
          { status: 503, headers },
        );

    it('is a random part of one that doubles', async () => {
      expect(await attemptsAt(0.5, shuttingDown())).toEqual([0, 50, 150, 350]);
      expect(await attemptsAt(0.1, shuttingDown())).toEqual([0, 10, 30, 70]);
    });

    it('is at least what Retry-After asks for', async () => {
      expect(await attemptsAt(0.5, shuttingDown({ 'retry-after': '2' }))).toEqual([0, 2050, 4100, 6150]);
      const date = new Date(Date.now() + 3000).toUTCString();
      const [, second = 0] = await attemptsAt(0, shuttingDown({ 'retry-after': date }));
      expect(second).toBeGreaterThan(1000);
    });

    it('is not begun if the call would be over before', async () => {
      expect(await attemptsAt(0.5, shuttingDown({ 'retry-after': '20' }), 5000)).toEqual([0]);
    });
  });

  describe('a call that gets no reply', () => {
    const never: Respond = () => new Promise(() => undefined);

    it('ends with its time-out, all attempts included', async () => {
      const { client, sent } = clientOf(never, { timeoutMs: 30 });
      const error = await failureOf(client.call('task.get', ID));
      expect(error).toBeInstanceOf(CallTimeoutError);
      expect(error).toMatchObject({ timeoutMs: 30, retryable: true });
      expect(await failureOf(client.call('task.get', ID, { timeoutMs: 5 }))).toMatchObject({ timeoutMs: 5 });
      expect(sent).toHaveLength(2);
    });

    it('ends with the reason of the signal of the caller', async () => {
      const { client } = clientOf(never);
      const controller = new AbortController();
      const call = client.call('task.get', ID, { signal: controller.signal });
      const reason = new Error('the user has left');
      controller.abort(reason);
      await expect(call).rejects.toBe(reason);
      await expect(client.call('task.get', ID, { signal: controller.signal })).rejects.toBe(reason);
    });

    it('between two attempts ends with the signal, too', async () => {
      const controller = new AbortController();
      const respond: Respond = (request) => {
        setTimeout(() => controller.abort(), 1);
        return replies(request, UNAVAILABLE);
      };
      const { client } = clientOf(respond, { random: () => 0.999 });
      await expect(client.call('task.get', ID, { signal: controller.signal })).rejects.toThrow(/abort/);
    });
  });

  describe('a degraded result', () => {
    const page = { attachments: [], totalCount: 0, hasMore: false, degraded: true };
    const respond: Respond = (request) => replies(request, { result: page });

    it('of a read is thrown', async () => {
      const { client } = clientOf(respond);
      const error = await failureOf(client.call('task.list_attachments', { taskId: 't' }));
      expect(error).toBeInstanceOf(DegradedError);
      expect(error).toMatchObject({ method: 'task.list_attachments', result: page, retryable: true });
      expect(await client.batch([{ method: 'task.list_attachments', params: { taskId: 't' } }])).toMatchObject([
        { ok: false, error: { name: 'DegradedError' } },
      ]);
    });

    it('of a read is returned if the caller accepts it', async () => {
      const { client } = clientOf(respond);
      const options = { acceptDegraded: true } as const;
      expect(await client.call('task.list_attachments', { taskId: 't' }, options)).toEqual(page);
      const [outcome] = await client.batch([{ method: 'task.list_attachments', params: { taskId: 't' } }], options);
      expect(outcome.ok && outcome.result.degraded).toBe(true);
    });

    it('of a write is returned, because the write is done', async () => {
      const written = { key: 'k', degraded: true };
      const { client } = clientOf((request) => replies(request, { result: written }));
      expect((await client.call('task.create_attachment', PUT)).degraded).toBe(true);
    });
  });

  describe('a batch', () => {
    it('is one message, and has an outcome for each call, in their order', async () => {
      const notFound = rpcError(-32602, { code: 'TASK_NOT_FOUND', taskId: 'none' });
      const { client, sent } = clientOf((request) => replies(request, { result: TASK }, notFound));
      const [found, missing] = await client.batch([
        { method: 'task.get', params: ID },
        { method: 'task.get_attachment', params: { taskId: 'none', key: 'k' } },
      ]);
      expect(sent).toMatchObject([{ isBatch: true }]);
      expect(found.ok && found.result.status).toBe('pending');
      expect(!missing.ok && missing.error).toBeInstanceOf(TaskNotFoundError);
    });

    it('is repeated for the calls that have failed and are safe to repeat', async () => {
      const respond: Respond = (request, attempt) =>
        attempt === 1
          ? replies(request, { result: TASK }, UNAVAILABLE, UNAVAILABLE, rpcError(-32602))
          : replies(request, { result: TASK });
      const { client, sent } = clientOf(respond);
      const outcomes = await client.batch([
        { method: 'task.get', params: ID },
        { method: 'task.get', params: { id: 'u' } },
        { method: 'task.create', params: { text: 'x' } },
        { method: 'task.list' },
      ]);
      expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, false, false]);
      expect(sent.map(({ calls }) => calls.length)).toEqual([4, 1]);
      expect(sent[1]?.calls[0]).toMatchObject({ params: { id: 'u' } });
    });

    it('that is refused as a whole has the error at each call', async () => {
      const error = { code: -32001, message: 'x', data: { code: 'OVERLOADED' } };
      const body = { jsonrpc: '2.0', id: null, error };
      const { client } = clientOf(() => Response.json(body, { status: 503 }), { retries: 0 });
      const outcomes = await client.batch([{ method: 'task.list' }, { method: 'task.list' }]);
      for (const outcome of outcomes) expect(!outcome.ok && outcome.error).toBeInstanceOf(OverloadedError);
    });

    it('without calls sends nothing', async () => {
      const { client, sent } = clientOf(() => Response.json([]));
      expect([await client.batch([]), sent]).toEqual([[], []]);
    });
  });

  it('writes and reads with another JSON, if it is given one', async () => {
    const json = {
      stringify: (value: unknown) => JSON.stringify(value).replace('"9007199254740993"', '9007199254740993'),
      parse: (text: string) => JSON.parse(text.replace(/\b\d{16,}\b/, '"$&"')) as unknown,
    };
    const bodies: string[] = [];
    const fetch: ClientOptions['fetch'] = (_url, { body = '' }) => {
      bodies.push(body);
      return Promise.resolve(new Response('{"jsonrpc":"2.0","id":1,"result":{"value":9007199254740993}}'));
    };
    const client = new DossierClient({ url: 'http://service', fetch, json });
    const { value } = await client.call('task.get_attachment', { taskId: 't', key: '9007199254740993' });
    expect([value, bodies[0]]).toEqual(['9007199254740993', expect.stringContaining('"key":9007199254740993')]);
  });
});

describe('DossierClient over NATS', () => {
  const reply = (message: object) => ({ data: new TextEncoder().encode(JSON.stringify(message)) });

  it('sends each call as a request to the subject of its method', async () => {
    const requests: [string, string | undefined][] = [];
    const connection = {
      request: (subject: string, payload?: string) => {
        requests.push([subject, payload]);
        const { id } = JSON.parse(payload ?? '') as { id: number };
        return Promise.resolve(reply({ jsonrpc: '2.0', id, result: TASK }));
      },
    };
    const client = new DossierClient({ nats: { connection, prefix: 'staging' } });
    expect(await client.call('task.get', ID)).toEqual(TASK);
    const outcomes = await client.batch([{ method: 'task.list' }, { method: 'task.cancel', params: ID }]);
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, true]);
    expect(requests.map(([subject]) => subject)).toEqual([
      'staging.task.get',
      'staging.task.list',
      'staging.task.cancel',
    ]);
    expect(requests[0]?.[1]).toBe('{"jsonrpc":"2.0","id":1,"params":{"id":"t"}}');
    expect(() => client.events()).toThrow('url must be');
  });

  it('sends its credential as a header of the message', async () => {
    const sent: Map<string, string>[] = [];
    const connection = {
      request: (_subject: string, payload = '', options?: { headers?: unknown }) => {
        sent.push(options?.headers as Map<string, string>);
        return Promise.resolve(reply({ jsonrpc: '2.0', id: (JSON.parse(payload) as { id: number }).id, result: TASK }));
      },
    };
    const client = new DossierClient({ nats: { connection, headers: () => new Map<string, string>() }, apiKey: 'é' });
    await client.call('task.get', ID);
    expect([...(sent[0] ?? [])]).toEqual([['x-api-key', 'é']]);
    expect(() => new DossierClient({ nats: { connection }, apiKey: 'k' })).toThrow('nats.headers is needed');
  });

  it('repeats what is safe to repeat if there is no reply', async () => {
    let requests = 0;
    const connection = { request: () => Promise.reject(new Error(`no responders ${++requests}`)) };
    const client = new DossierClient({ nats: { connection }, random: () => 0, retries: 1 });
    const error = await failureOf(client.call('task.get', ID));
    expect(error).toBeInstanceOf(ConnectionError);
    expect([requests, error.attempts]).toEqual([2, 2]);
    await failureOf(client.call('task.create', { text: 'x' }));
    expect(requests).toBe(3);
  });
});

/** Is compiled, not run: the types refuse what the service would refuse. */
export function typesOf(client: DossierClient): readonly Promise<unknown>[] {
  return [
    // @ts-expect-error: a misspelt method
    client.call('task.gett', ID),
    // @ts-expect-error: no params
    client.call('task.get'),
    // @ts-expect-error: a misspelt parameter
    client.call('task.list', { limitt: 1 }),
    // @ts-expect-error: type json needs a value
    client.call('task.create_attachment', { taskId: 't', key: 'k', type: 'json' }),
    // @ts-expect-error: type text takes no value
    client.call('task.create_attachment', { taskId: 't', key: 'k', type: 'text', content: '', value: 1 }),
    // @ts-expect-error: the result of a read has no `degraded`, unless it is accepted
    client.call('task.list_attachments', { taskId: 't' }).then((page) => void page.degraded),
    client.call('task.list_attachments', { taskId: 't' }, { acceptDegraded: true }).then(({ degraded }) => degraded),
    // @ts-expect-error: params of another method in a batch
    client.batch([{ method: 'task.get', params: { taskId: 't', key: 'k' } }]),
    // @ts-expect-error: no params in a batch
    client.batch([{ method: 'task.list' }, { method: 'task.get' }]),
    // Params may be left out, alone and in a batch.
    client.call('task.usage').then(({ bytes }) => bytes + 1),
    client.batch([{ method: 'task.usage' }, { method: 'task.list' }]),
    // @ts-expect-error: a parameter that the method does not have
    client.call('task.usage', { id: 't' }),
    // A batch whose length is not known before.
    client
      .batch(['t', 'u'].map((id): BatchCall<'task.get'> => ({ method: 'task.get', params: { id } })))
      .then((outcomes) => outcomes.map((outcome) => outcome.ok && outcome.result.text)),
    client
      .call('task.update', { taskId: 't', updates: { status: 'in_progress' } })
      .then(({ priority }) => priority + 1),
    client.call('task.create_attachment', PUT).catch((error: unknown) => {
      if (error instanceof VersionConflictError) return error.data.currentVersion?.toFixed();
      return error instanceof StoreFailedError ? error.data.reason : undefined;
    }),
  ];
}
