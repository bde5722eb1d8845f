import { Logger } from '@nestjs/common';
import { Registry } from 'prom-client';
import { of, throwError } from 'rxjs';
import { CallDurations } from '../../../../src/inbound/json-rpc/call-durations';
import type { CallContext } from '../../../../src/inbound/json-rpc/call-context';
import { JsonRpc, type RpcMethod } from '../../../../src/inbound/json-rpc/json-rpc';
import { JsonRpcError } from '../../../../src/inbound/json-rpc/json-rpc-error';

const caller = { organization: 'default', name: 'tester' };
const origin = { transport: 'http', identity: { caller, role: 'admin' }, peer: '127.0.0.1' } as const;
const registry = new Registry();
const calls: string[] = [];

/** Lets the test decide the order in which calls finish. */
const gates = new Map<string, () => void>();

const LARGE_TEXT = 'x'.repeat(1024 * 1024);

const methods: Record<string, RpcMethod> = {
  subtract: ({ values }) => {
    const [minuend, subtrahend] = Array.isArray(values)
      ? (values as number[])
      : [(values as { minuend: number }).minuend, (values as { subtrahend: number }).subtrahend];
    return (minuend as number) - (subtrahend as number);
  },
  sum: ({ values }) => (values as number[]).reduce((total, value) => total + value, 0),
  get_data: () => ['hello', 5],
  update: () => void calls.push('update'),
  notify_hello: () => void calls.push('notify_hello'),
  notify_sum: () => void calls.push('notify_sum'),
  observable: () => Promise.resolve(of('streamed')),
  refuse: () => Promise.resolve(throwError(() => new JsonRpcError(-32005, 'Conflict', { code: 'TASK_EXISTS' }))),
  crash: () => {
    throw new TypeError('secret of the inside');
  },
  whoAmI: (_params, { method, transport, caller }: CallContext) => ({ method, transport, caller }),
  text: (params) => params.text,
  large: () => Array.from({ length: 100 }, () => LARGE_TEXT),
  gated: (params) =>
    new Promise((resolve) => {
      const name = params.byName('name') as string;
      gates.set(name, () => resolve(name));
    }),
};
const jsonRpc = new JsonRpc(new Map(Object.entries(methods)), new CallDurations(registry));

async function reply(message: unknown): Promise<unknown> {
  const text = await jsonRpc.reply(typeof message === 'string' ? message : JSON.stringify(message), origin);
  return text === undefined ? undefined : (JSON.parse(text) as unknown);
}

const invalidRequest = (id: unknown = null) => ({
  jsonrpc: '2.0',
  error: { code: -32600, message: 'Invalid Request' },
  id,
});

describe('the examples of section 7 of the specification', () => {
  it.each([
    [
      'positional parameters',
      '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
      '{"jsonrpc": "2.0", "result": 19, "id": 1}',
    ],
    [
      'positional parameters, the other way round',
      '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
      '{"jsonrpc": "2.0", "result": -19, "id": 2}',
    ],
    [
      'named parameters',
      '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
      '{"jsonrpc": "2.0", "result": 19, "id": 3}',
    ],
    [
      'named parameters, the other way round',
      '{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
      '{"jsonrpc": "2.0", "result": 19, "id": 4}',
    ],
    [
      'a method that does not exist',
      '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
      '{"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"}',
    ],
    [
      'invalid JSON',
      '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
      '{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}',
    ],
    [
      'an invalid request',
      '{"jsonrpc": "2.0", "method": 1, "params": "bar"}',
      '{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}',
    ],
    [
      'a batch of invalid JSON',
      '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method"]',
      '{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}',
    ],
    ['an empty batch', '[]', '{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}'],
    [
      'an invalid batch that is not empty',
      '[1]',
      '[{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}]',
    ],
    [
      'an invalid batch',
      '[1,2,3]',
      `[{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
        {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
        {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}]`,
    ],
    [
      'a batch',
      `[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "get_data", "id": "9"}]`,
      `[{"jsonrpc": "2.0", "result": 7, "id": "1"},
        {"jsonrpc": "2.0", "result": 19, "id": "2"},
        {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
        {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "5"},
        {"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"}]`,
    ],
  ])('the reply to %s is the printed one', async (_name, request, response) => {
    expect(await reply(request)).toEqual(JSON.parse(response));
  });

  it.each([
    ['a notification', '{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', ['update']],
    ['a notification of a method that does not exist', '{"jsonrpc": "2.0", "method": "foobar"}', []],
    [
      'a batch of notifications',
      '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]}, {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]',
      ['notify_sum', 'notify_hello'],
    ],
  ])('%s gets no reply', async (_name, request, called) => {
    calls.length = 0;
    expect(await reply(request)).toBeUndefined();
    expect(calls).toEqual(called);
  });
});

describe('JsonRpc', () => {
  it.each(['', ' ', '{', 'undefined', '\ufeff{}', '{"a":1,}', "{'a':1}", '[', 'NaN'])(
    'the text %j gets a parse error',
    async (text) => {
      expect(await reply(text)).toMatchObject({ error: { code: -32700 }, id: null });
    },
  );

  it.each([
    ['null in place of an object', 'null'],
    ['true in place of an object', 'true'],
    ['a number in place of an object', '17'],
    ['no members', '{}'],
    ['another version', { jsonrpc: '1.0', method: 'sum' }],
    ['a number for its version', { jsonrpc: 2.0, method: 'sum' }],
    ['no version', { method: 'sum' }],
    ['null for a method', { jsonrpc: '2.0', method: null }],
    ['null for params', { jsonrpc: '2.0', method: 'sum', params: null }],
    ['a number for params', { jsonrpc: '2.0', method: 'sum', params: 1 }],
    ['a string for params', { jsonrpc: '2.0', method: 'sum', params: 'x' }],
    ['false for params', { jsonrpc: '2.0', method: 'sum', params: false }],
  ])('a request with %s is invalid, and the id of the reply is null', async (_name, request) => {
    expect(await reply(request)).toEqual(invalidRequest());
  });

  it('the reply to an invalid request has the id of the request', async () => {
    expect(await reply({ jsonrpc: '1.0', method: 'sum', id: 'a' })).toEqual(invalidRequest('a'));
    expect(await reply({ jsonrpc: '2.0', method: 'sum', params: null, id: 7 })).toEqual(invalidRequest(7));
    expect(await reply({ jsonrpc: '1.0', method: 'sum', id: {} })).toEqual(invalidRequest());
  });

  it.each([true, false, {}, [], [1], 'x'.repeat(129), '\u{1f600}'.repeat(129)])(
    'a request with the id %j is invalid, even if the rest is right',
    async (id) => {
      expect(await reply({ jsonrpc: '2.0', method: 'get_data', id })).toEqual(invalidRequest());
    },
  );

  it('a number that a double cannot hold is no valid id', async () => {
    expect(await reply('{"jsonrpc":"2.0","method":"get_data","id":1e400}')).toEqual(invalidRequest());
  });

  it.each(['""', '"x"', '0', '-1', 'null', '1.50', '12345678901234567890', '9007199254740993', '1e300', '"\\ud800"'])(
    'the id %s is echoed as it was spelt',
    async (id) => {
      const text = await jsonRpc.reply(`{"id" : ${id} ,"jsonrpc":"2.0","method":"get_data"}`, origin);
      expect(text).toBe(`{"jsonrpc":"2.0","result":["hello",5],"id":${id}}`);
    },
  );

  it('the length of an id is counted in characters, not in UTF-16 units', async () => {
    const id = '\u{1f600}'.repeat(128);
    expect(await reply({ jsonrpc: '2.0', method: 'get_data', id })).toMatchObject({ id, result: ['hello', 5] });
  });

  it('a call with the id null is a request', async () => {
    expect(await reply({ jsonrpc: '2.0', method: 'get_data', id: null })).toEqual({
      jsonrpc: '2.0',
      result: ['hello', 5],
      id: null,
    });
  });

  it('members of the request that the specification does not name are ignored', async () => {
    const request = { jsonrpc: '2.0', method: 'get_data', id: 1, metadata: { a: 1 }, result: 1, toString: 1 };
    expect(await reply(request)).toMatchObject({ result: ['hello', 5] });
    expect(await reply('{"__proto__":{"id":2},"jsonrpc":"2.0","method":"get_data"}')).toBeUndefined();
  });

  it.each(['__proto__', 'constructor', 'toString', 'rpc.discover', 'rpc.', ''])(
    'the method %j does not exist',
    async (method) => {
      expect(await reply({ jsonrpc: '2.0', method, id: 1 })).toMatchObject({ error: { code: -32601 }, id: 1 });
    },
  );

  it('a handler gets the context of its call', async () => {
    expect(await reply({ jsonrpc: '2.0', method: 'whoAmI', id: 1 })).toMatchObject({
      result: { method: 'whoAmI', transport: 'http', caller },
    });
  });

  it('a handler gets the text of its params; if they are given twice, of the last ones', async () => {
    const text = '{ "b":1e2, "2": 1.0, "1": "\\u0041" }';
    const one = `{"jsonrpc":"2.0","params":{"x":1},"method":"text","params": ${text} ,"id":1}`;
    expect(await reply(one)).toMatchObject({ result: text });
    expect(await reply(`[${one}, 1 , ${one}]`)).toMatchObject([{ result: text }, {}, { result: text }]);
    expect(await reply({ jsonrpc: '2.0', method: 'text', id: 1 })).toMatchObject({ result: '{}' });
  });

  it('the result is null if a method returns nothing, and the value if the method returns an observable', async () => {
    expect(await reply({ jsonrpc: '2.0', method: 'update', id: 1 })).toMatchObject({ result: null });
    expect(await reply({ jsonrpc: '2.0', method: 'observable', id: 1 })).toMatchObject({ result: 'streamed' });
  });

  it('the error of a method is in the reply, except for a notification', async () => {
    expect(await reply({ jsonrpc: '2.0', method: 'refuse', id: 1 })).toEqual({
      jsonrpc: '2.0',
      error: { code: -32005, message: 'Conflict', data: { code: 'TASK_EXISTS' } },
      id: 1,
    });
    expect(await reply({ jsonrpc: '2.0', method: 'refuse' })).toBeUndefined();
  });

  it('an unexpected error is told to operators only', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation();
    const text = await jsonRpc.reply(
      '{"jsonrpc":"2.0","method":"crash","id":1,"params":{"key":"confidential"}}',
      origin,
    );
    expect(JSON.parse(text as string)).toEqual({
      jsonrpc: '2.0',
      error: { code: -32603, message: 'Internal error', data: { code: 'INTERNAL_ERROR' } },
      id: 1,
    });
    expect(logged).toHaveBeenCalledWith('secret of the inside', expect.stringContaining('json-rpc.spec'));
    expect(JSON.stringify(logged.mock.calls)).not.toContain('confidential');
    logged.mockRestore();
  });

  it('the calls of a batch run at the same time, and the replies stand in their order', async () => {
    const batch = ['a', 'b', 'c'].map((name, id) => ({ jsonrpc: '2.0', method: 'gated', params: { name }, id }));
    const replies = reply(batch);
    for (const name of ['c', 'a', 'b']) gates.get(name)?.();
    expect(await replies).toMatchObject([{ result: 'a' }, { result: 'b' }, { result: 'c' }]);
  });

  it('a batch of 50 calls runs, and no call of a longer one', async () => {
    const batch = (length: number) => Array.from({ length }, (_, id) => ({ jsonrpc: '2.0', method: 'update', id }));
    calls.length = 0;
    expect(await reply(batch(50))).toHaveLength(50);
    expect(calls).toHaveLength(50);
    expect(await reply(batch(51))).toMatchObject({ error: { code: -32600, message: 'Invalid Request' }, id: null });
    expect(calls).toHaveLength(50);
  });

  it('a message may be nested to any depth', async () => {
    const deep = '['.repeat(1_000_000) + ']'.repeat(1_000_000);
    expect(await reply(deep)).toEqual([invalidRequest()]);
    const text = await jsonRpc.reply(`{"jsonrpc":"2.0","method":"text","params":{"a":${deep}},"id":1}`, origin);
    expect(text).toHaveLength(deep.length + '{"jsonrpc":"2.0","result":"{\\"a\\":}","id":1}'.length);
  });

  it('calls are measured by method, transport and outcome, without names that callers made up', async () => {
    registry.resetMetrics();
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation();
    const batch = ['get_data', 'refuse', 'crash', 'made-up'].map((method) => ({ jsonrpc: '2.0', method }));
    await reply(batch);
    logged.mockRestore();
    const [histogram] = await registry.getMetricsAsJSON();
    const counted = histogram?.values.filter(
      (value) => 'metricName' in value && /_count$/.test(String(value.metricName)),
    );
    const counts = counted?.map(({ labels: { method, transport, outcome }, value }) =>
      [method, transport, outcome, value].join(' '),
    );
    expect(counts?.sort()).toEqual([
      'crash http failed 1',
      'get_data http ok 1',
      'refuse http refused 1',
      'unknown http refused 1',
    ]);
  });
});

describe('a message that asks for more than a reply can carry', () => {
  it('the result that does not fit becomes an error, and all other results are in the reply', async () => {
    const large = { jsonrpc: '2.0', method: 'large' };
    const replies = await reply([
      { ...large, id: 1 },
      { ...large, id: 2 },
      { jsonrpc: '2.0', method: 'get_data', id: 3 },
    ]);
    const error = { code: -32603, message: 'Internal error', data: { code: 'REPLY_TOO_LARGE' } };
    expect(replies).toEqual([
      { jsonrpc: '2.0', result: expect.any(Array) as unknown, id: 1 },
      { jsonrpc: '2.0', error, id: 2 },
      { jsonrpc: '2.0', result: ['hello', 5], id: 3 },
    ]);
  });
});
