import { Logger } from '@nestjs/common';
import { Registry } from 'prom-client';
import { of, throwError } from 'rxjs';
import { TRACING_OFF } from '../../../../src/core/ports/tracing';
import { BegunPerTurn } from '../../../../src/inbound/load/begun-per-turn';
import { LoopTime } from '../../../../src/inbound/load/loop-time';
import { CallDurations } from '../../../../src/inbound/json-rpc/call-durations';
import { AuthenticationFailure } from '../../../../src/inbound/auth/credential';
import { shareOf, type CallContext, type CallOrigin } from '../../../../src/inbound/json-rpc/call-context';
import { JsonRpc, type RpcMethod } from '../../../../src/inbound/json-rpc/json-rpc';
import type { Presentation } from '../../../../src/inbound/json-rpc/presentation';
import { JsonRpcError } from '../../../../src/inbound/json-rpc/json-rpc-error';
import type { Steps } from '../../../../src/inbound/json-rpc/json-scanner';
import { RawParams } from '../../../../src/inbound/json-rpc/raw-params';

const caller = { organization: 'default', name: 'tester' };
const UNPROVEN = new AuthenticationFailure('unauthorized');
const ids = { requestId: 'request-1' };
const origin = { transport: 'http', identity: { caller, role: 'admin' }, peer: '127.0.0.1', ids } as const;
const registry = new Registry();
const calls: string[] = [];

/** Lets the test decide the order in which calls finish. */
const gates = new Map<string, () => void>();

const MAX_REPLY_BYTES = 100_000;

let written = 0;
function countedText(): string {
  written += 100;
  return 'x'.repeat(100);
}

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
  textLength: (params) => params.text.length,
  repeated: (params) => [(params.byName('text') as string).repeat(params.byName('times') as number)],
  refuseAtLength: (params) => {
    const message = 'x'.repeat(params.byName('length') as number);
    throw new JsonRpcError(-32602, 'Invalid params', { code: 'INVALID_PARAMS', errors: [{ field: 'a', message }] });
  },
  endless: () =>
    Array.from({ length: 1_000_000 }, () => ({
      get text() {
        return countedText();
      },
    })),
  gated: (params) =>
    new Promise((resolve) => {
      const name = params.byName('name') as string;
      gates.set(name, () => resolve(name));
    }),
};
/** Large messages take no time here. */
const loopTime = new LoopTime({ monotonicMs: () => 0, workedMs: () => 0, sleep: () => Promise.resolve() });
const begun = new BegunPerTurn(() => true);
const jsonRpc = new JsonRpc(
  new Map(Object.entries(methods)),
  new CallDurations(registry),
  MAX_REPLY_BYTES,
  { loopTime, begun },
  TRACING_OFF,
);

async function reply(message: unknown): Promise<unknown> {
  const text = await jsonRpc.reply(typeof message === 'string' ? message : JSON.stringify(message), origin);
  return text === undefined ? undefined : (JSON.parse(text) as unknown);
}

describe('a result that an endpoint presents in its own way', () => {
  const run = (method: string, presentation: Presentation) => {
    return jsonRpc.run({ method, params: RawParams.NONE }, origin, presentation);
  };

  it('is written as it is presented', async () => {
    const show = function* (value: unknown) {
      yield;
      return { shown: value };
    };
    expect(await run('get_data', { show })).toEqual({ result: '{"shown":["hello",5]}' });
  });

  it('fails as any result does if it cannot be presented', async () => {
    const show = () => {
      throw new Error('secret of the inside');
    };
    expect(await run('get_data', { show })).toMatchObject({ error: { data: { code: 'INTERNAL_ERROR' } } });
  });

  it('is not written beyond its own limit', async () => {
    written = 0;
    const show = function* (value: unknown): Steps<unknown> {
      yield;
      return value;
    };
    const data = { code: 'REPLY_TOO_LARGE', maxReplyBytes: 1000 };
    expect(await run('endless', { show, maxBytes: 1000 })).toMatchObject({ error: { code: -32603, data } });
    expect(written).toBeLessThan(1200);
  });

  it('is not read if more would be read than it may', async () => {
    const asked: number[] = [];
    const take = (_params: unknown, { room }: CallContext) => {
      for (const bytes of [400, 700]) {
        room?.take(bytes);
        asked.push(bytes);
      }
      return {};
    };
    const service = new JsonRpc(
      new Map([['read', take]]),
      new CallDurations(new Registry()),
      5000,
      { loopTime, begun },
      TRACING_OFF,
    );
    const show = function* (value: unknown): Steps<unknown> {
      yield;
      return value;
    };
    const call = { method: 'read', params: RawParams.NONE };
    const data = { code: 'REPLY_TOO_LARGE', maxReplyBytes: 600 };
    expect(await service.run(call, origin, { show, maxReadBytes: 600 })).toMatchObject({ error: { data } });
    expect(await service.run(call, origin, { show })).toEqual({ result: '{}' });
    expect(asked).toEqual([400, 400, 700]);
  });
});

describe('a result for which much was read', () => {
  const read =
    (bytes: number) =>
    (_params: unknown, { room }: CallContext) => {
      room?.take(bytes);
      return { list: ['x'.repeat(1000)] };
    };
  const large = (bytes: number, takes: LoopTime['take']) => {
    const methods = new Map<string, RpcMethod>([['read', read(bytes)]]);
    const loopTime = { take: takes } as unknown as LoopTime;
    return new JsonRpc(methods, new CallDurations(new Registry()), 2 ** 24, { loopTime, begun }, TRACING_OFF);
  };
  const call = '{"jsonrpc":"2.0","id":1,"method":"read"}';

  it.each([
    [1000, 0],
    [2 ** 20, 1],
  ])('of %i bytes is written at the expense of its caller %i times', async (bytes, times) => {
    const callers: string[] = [];
    const takes = jest.fn((caller: string, work: Iterator<unknown, unknown>, tookMs: number) => {
      expect(tookMs).toBe((3 * bytes) / 2 ** 20);
      callers.push(caller);
      let step = work.next();
      while (!step.done) step = work.next();
      return Promise.resolve(step.value);
    }) as unknown as LoopTime['take'];
    const answer = await large(bytes, takes).reply(call, origin);
    expect(answer).toBe(`{"jsonrpc":"2.0","result":{"list":["${'x'.repeat(1000)}"]},"id":1}`);
    expect(callers).toEqual(Array(times).fill('http:127.0.0.1'));
  });

  it('is refused if its caller has taken too much of the event loop', async () => {
    const answer = await large(2 ** 20, () => Promise.resolve(undefined)).reply(call, origin);
    expect(JSON.parse(answer as string)).toMatchObject({ error: { code: -32001, data: { code: 'OVERLOADED' } } });
  });
});

describe('the time that calls take', () => {
  /** Time passes only in the methods below; another caller is there, too. */
  let nowMs = 0;
  let paidMs: number[];
  let turns: number;
  let loop: LoopTime;
  beforeEach(() => {
    nowMs = 10_000;
    paidMs = [];
    turns = 0;
    const workedMs = () => nowMs;
    loop = new LoopTime({ monotonicMs: workedMs, workedMs, sleep: () => Promise.resolve() });
    jest.spyOn(loop, 'pay').mockImplementation((caller, tookMs) => {
      expect(caller).toBe('http:127.0.0.1');
      paidMs.push(tookMs);
      return Promise.resolve(true);
    });
  });
  const timed: Record<string, RpcMethod> = {
    refuse: async () => {
      await Promise.resolve();
      nowMs += 0.3;
      throw new JsonRpcError(-32003, 'Forbidden', { code: 'FORBIDDEN' });
    },
    wait: async () => {
      nowMs += 0.1;
      await new Promise((resolve) => setImmediate(resolve));
      nowMs += 100;
      return {};
    },
    discover: (_params, { room }) => {
      room?.take(71_000);
      return {};
    },
    list: ({ values }, { room }) => {
      room?.countRows((values as number[])[0] as number);
      return { tasks: [] };
    },
    listTooMuch: (_params, { room }) => {
      room?.countRows(1000);
      room?.take(2 ** 25);
      return {};
    },
  };
  const replyTo = async (message: unknown) => {
    const methods = new Map(Object.entries(timed));
    const service = new JsonRpc(
      methods,
      new CallDurations(new Registry()),
      2 ** 24,
      { loopTime: loop, begun },
      TRACING_OFF,
    );
    return JSON.parse((await service.reply(JSON.stringify(message), origin)) as string) as unknown;
  };
  const repeat = (method: string, times: number, params?: unknown) =>
    Array.from({ length: times }, (_, id) => ({ jsonrpc: '2.0', id, method, params }));
  const countTurns = () => {
    const count = () => {
      turns += 1;
      counting = setImmediate(count);
    };
    let counting = setImmediate(count);
    return () => clearImmediate(counting);
  };
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

  it('calls of a batch that wait for nothing let others be served after each millisecond, which is charged', async () => {
    const stop = countTurns();
    expect(await replyTo(repeat('refuse', 100))).toHaveLength(100);
    stop();
    expect(turns).toBeGreaterThanOrEqual(7);
    expect(Math.max(...paidMs)).toBeLessThan(4);
    expect(sum(paidMs)).toBeGreaterThan(25);
  });

  it('calls of a batch that wait for a store pay for nothing', async () => {
    expect(await replyTo(repeat('wait', 20))).toHaveLength(20);
    expect(paidMs).toEqual([]);
  });

  it('a batch whose caller has taken too much is refused call by call', async () => {
    jest.spyOn(loop, 'pay').mockResolvedValue(false);
    const replies = (await replyTo(repeat('refuse', 100))) as { id: number; error: { data: { code: string } } }[];
    expect(replies.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, id) => id));
    expect(new Set(replies.map(({ error }) => error.data.code))).toEqual(new Set(['FORBIDDEN', 'OVERLOADED']));
  });

  it.each([
    ['discover', undefined, 10, 2],
    ['list', [50], 20, 15],
  ])('what the calls of a batch read is charged also if each reads little: %s', async (method, params, times, ms) => {
    await replyTo(repeat(method, times, params));
    expect(sum(paidMs)).toBeGreaterThan(ms - 1);
    expect(sum(paidMs)).toBeLessThan(ms + 0.1);
  });

  it('a list of many rows is written at the expense of its caller, however small they are', async () => {
    const take = jest.spyOn(loop, 'take');
    for (const rows of [20, 50]) await replyTo(repeat('list', 1, [rows])[0]);
    expect(take).not.toHaveBeenCalled();
    await replyTo(repeat('list', 1, [1000])[0]);
    expect(take.mock.calls[0]?.[2]).toBeCloseTo(15);
  });

  it('a list that is refused, because it is too large for a reply, is charged for its rows', async () => {
    expect(await replyTo(repeat('listTooMuch', 1)[0])).toMatchObject({ error: { data: { code: 'REPLY_TOO_LARGE' } } });
    expect(paidMs).toEqual([expect.closeTo(15)]);
  });
});

/** As the specification prints it. */
const INVALID_REQUEST = { jsonrpc: '2.0', error: { code: -32600, message: 'Invalid Request' }, id: null };

const invalidRequest = (reason: string, id: unknown = null) => ({
  jsonrpc: '2.0',
  error: { code: -32600, message: 'Invalid Request', data: { code: 'INVALID_REQUEST', reason } },
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

  const WRONG_VERSION = 'jsonrpc must be "2.0"';
  const WRONG_METHOD = 'method must be a string';
  const WRONG_PARAMS = 'params must be an object';
  const WRONG_ID = 'id must be a string, a finite number or null';

  it.each([
    ['null in place of an object', 'null', 'a request must be an object'],
    ['true in place of an object', 'true', 'a request must be an object'],
    ['a number in place of an object', '17', 'a request must be an object'],
    ['another version', { jsonrpc: '1.0', method: 'sum' }, WRONG_VERSION],
    ['a number for its version', { jsonrpc: 2.0, method: 'sum' }, WRONG_VERSION],
    ['no version', { method: 'sum' }, WRONG_VERSION],
    ['null for a method', { jsonrpc: '2.0', method: null }, WRONG_METHOD],
    ['a number for a method', { jsonrpc: '2.0', method: 1 }, WRONG_METHOD],
    ['no method', { jsonrpc: '2.0' }, WRONG_METHOD],
    ['a number for params', { jsonrpc: '2.0', method: 'sum', params: 1 }, WRONG_PARAMS],
    ['a string for params', { jsonrpc: '2.0', method: 'sum', params: 'x' }, WRONG_PARAMS],
    ['false for params', { jsonrpc: '2.0', method: 'sum', params: false }, WRONG_PARAMS],
    ['nothing but params', { params: {} }, `${WRONG_VERSION}, ${WRONG_METHOD}`],
  ])('a request with %s is invalid: the reply says why, and its id is null', async (_name, request, reason) => {
    expect(await reply(request)).toEqual(invalidRequest(reason));
  });

  it('a request without any member of a request gets the reply that the specification prints', async () => {
    for (const request of [{}, { foo: 'boo' }]) expect(await reply(request)).toEqual(INVALID_REQUEST);
  });

  it('the reply to an invalid request has the id of the request', async () => {
    expect(await reply({ jsonrpc: '1.0', method: 'sum', id: 'a' })).toEqual(invalidRequest(WRONG_VERSION, 'a'));
    expect(await reply({ jsonrpc: '2.0', method: 'sum', params: 'x', id: 7 })).toEqual(invalidRequest(WRONG_PARAMS, 7));
    expect(await reply({ jsonrpc: '2.0', method: 1, params: 'bar', id: 7 })).toEqual(
      invalidRequest(`${WRONG_METHOD}, ${WRONG_PARAMS}`, 7),
    );
    expect(await reply({ jsonrpc: '1.0', method: 'sum', id: {} })).toEqual(
      invalidRequest(`${WRONG_ID}, ${WRONG_VERSION}`),
    );
  });

  it.each([
    [true, WRONG_ID],
    [false, WRONG_ID],
    [{}, WRONG_ID],
    [[], WRONG_ID],
    [[1], WRONG_ID],
    ['x'.repeat(129), 'id must be at most 128 characters long, is 129'],
    ['\u{1f600}'.repeat(130), 'id must be at most 128 characters long, is 130'],
  ])('a request with the id %j is invalid, even if the rest is right', async (id, reason) => {
    expect(await reply({ jsonrpc: '2.0', method: 'get_data', id })).toEqual(invalidRequest(reason));
  });

  it('a number that a double cannot hold is no valid id', async () => {
    expect(await reply('{"jsonrpc":"2.0","method":"get_data","id":1e400}')).toEqual(invalidRequest(WRONG_ID));
  });

  it.each(['null', '[]', ' [ ] '])('the params %s count as left out', async (params) => {
    const text = `{"jsonrpc":"2.0","method":"text","params":${params},"id":1}`;
    expect(await reply(text)).toMatchObject({ result: '{}', id: 1 });
    expect(await reply(`[${text}]`)).toMatchObject([{ result: '{}', id: 1 }]);
  });

  it('an array of one object is taken for params by name', async () => {
    const text = '{"jsonrpc":"2.0","method":"text","params":[ {"a":1.0, "b":[1]} ],"id":1}';
    expect(await reply(text)).toMatchObject({ result: '{"a":1.0, "b":[1]}' });
    const params = [{ minuend: 42, subtrahend: 23 }];
    expect(await reply({ jsonrpc: '2.0', method: 'subtract', params, id: 1 })).toMatchObject({ result: 19 });
    expect(await reply({ jsonrpc: '2.0', method: 'text', params: [{}, {}], id: 1 })).toMatchObject({
      result: '[{},{}]',
    });
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
    expect(logged).toHaveBeenCalledWith('secret of the inside', expect.stringContaining('json-rpc.spec'), ids);
    expect(JSON.stringify(logged.mock.calls)).not.toContain('confidential');
    logged.mockRestore();
  });

  it('the calls of a batch run at the same time, and the replies stand in their order', async () => {
    const batch = ['a', 'b', 'c'].map((name, id) => ({ jsonrpc: '2.0', method: 'gated', params: { name }, id }));
    const replies = reply(batch);
    for (const name of ['c', 'a', 'b']) gates.get(name)?.();
    expect(await replies).toMatchObject([{ result: 'a' }, { result: 'b' }, { result: 'c' }]);
  });

  it('the calls of a batch whose caller has hung up do not begin, and those that have begun go on', async () => {
    let isAbandoned = false;
    const hasty = { ...origin, isAbandoned: () => isAbandoned };
    const batch = Array.from({ length: 20 }, (_, id) => ({
      jsonrpc: '2.0',
      method: 'gated',
      params: { name: `hasty ${id}` },
      id,
    }));
    const replies = jsonRpc.reply(JSON.stringify(batch), hasty);
    const begunCalls = () => [...gates.keys()].filter((name) => name.startsWith('hasty'));
    expect(begunCalls()).toHaveLength(8);
    isAbandoned = true;
    for (const name of begunCalls()) gates.get(name)?.();
    expect(JSON.parse((await replies) as string)).toHaveLength(8);
    expect(begunCalls()).toHaveLength(8);

    calls.length = 0;
    const update = '{"jsonrpc":"2.0","method":"update","id":1}';
    expect(await jsonRpc.reply(update, hasty)).toBeUndefined();
    expect(calls).toEqual([]);
  });

  describe('a batch of more than 100 calls', () => {
    const batch = (length: number) => Array.from({ length }, (_, id) => ({ jsonrpc: '2.0', method: 'update', id }));
    const refusal = (id: unknown) => ({
      jsonrpc: '2.0',
      error: {
        code: -32600,
        message: 'Invalid Request',
        data: { code: 'BATCH_TOO_LONG', maxCalls: 100, reason: 'a batch has at most 100 calls' },
      },
      id,
    });

    it('100 calls run; of a longer batch no call runs, and each is refused under its id', async () => {
      calls.length = 0;
      expect(await reply(batch(100))).toHaveLength(100);
      expect(calls).toHaveLength(100);
      expect(await reply(batch(101))).toEqual(batch(101).map(({ id }) => refusal(id)));
      expect(calls).toHaveLength(100);
    });

    it('notifications, and what has no usable id, get no refusal', async () => {
      const notifications = Array.from({ length: 100 }, () => ({ jsonrpc: '2.0', method: 'update' }));
      const rest = [1, null, [], { id: {} }, { id: 'x'.repeat(129) }, { id: null }, { id: '' }, { id: 'a' }];
      expect(await reply([...notifications, ...rest])).toEqual([refusal(null), refusal(''), refusal('a')]);
      const spelt = `[{"id":1.50},{"id":9007199254740993},${'0,'.repeat(100)}{"id":1e400}]`;
      const refusals = await jsonRpc.reply(spelt, origin);
      expect([...(refusals as string).matchAll(/"id":([^}]+)}/g)].map(([, id]) => id)).toEqual([
        '1.50',
        '9007199254740993',
      ]);
    });

    it('there is one refusal with the id null if no call has a usable id', async () => {
      const notifications = Array.from({ length: 101 }, () => ({ jsonrpc: '2.0', method: 'update' }));
      expect(await reply(notifications)).toEqual(refusal(null));
      expect(await reply('[' + '1,'.repeat(200_000) + '1]')).toEqual(refusal(null));
    });

    it('there is one refusal with the id null if the refusals would be larger than a reply may be', async () => {
      expect(await reply(batch(10_000))).toEqual(refusal(null));
    });
  });

  it.each([
    ['each call of a large batch', 20_000, origin, 9],
    ['no call of a small batch', 0, origin, 0],
    ['each call of a caller that has proved nothing', 0, { ...origin, identity: UNPROVEN }, 9],
  ] as const)('%s waits for a turn of its caller, after the first one', async (_, padding, from, waits) => {
    const begins = jest.spyOn(begun, 'wait');
    const batch = Array.from({ length: 10 }, (_, id) => ({ jsonrpc: '2.0', method: 'get_data', id }));
    expect(await jsonRpc.reply(JSON.stringify(batch) + ' '.repeat(padding), from)).toContain('"id":9');
    expect(begins.mock.calls).toEqual(Array.from({ length: waits }, () => [shareOf(from)]));
    begins.mockRestore();
  });

  it('a caller whose large messages have taken much time is refused, and another one is not', async () => {
    let nowMs = 0;
    const workedMs = () => {
      nowMs += 3000;
      loopTime.noteMessage('c');
      return nowMs;
    };
    const loopTime = new LoopTime({ monotonicMs: () => nowMs, workedMs, sleep: () => Promise.resolve() });
    const durations = new CallDurations(new Registry());
    const load = { loopTime, begun };
    const slow = new JsonRpc(new Map(Object.entries(methods)), durations, MAX_REPLY_BYTES, load, TRACING_OFF);
    const large = JSON.stringify({ foo: 'x'.repeat(20_000) });
    const replyTo = async (peer: string) =>
      JSON.parse((await slow.reply(large, { ...origin, peer })) as string) as unknown;
    expect(await replyTo('a')).toEqual(INVALID_REQUEST);
    expect(await replyTo('a')).toMatchObject({ error: { data: { code: 'OVERLOADED' } }, id: null });
    expect(await replyTo('b')).toEqual(INVALID_REQUEST);
  });

  it.each([
    '{"jsonrpc":"2.0","method":"subtract","params":{"minuend":42,"subtrahend":23},"id":1.50}',
    '{"jsonrpc":"2.0","method":"subtract","params":[ {"minuend":42,"subtrahend":23} ],"id":"a"}',
    '{"jsonrpc":"2.0","method":"text","params": {"b":1e2, "b":[1.0]} ,"id":12345678901234567890}',
    '[{"jsonrpc":"2.0","method":"text","params":{"a":1.0},"id":9007199254740993},1,{"jsonrpc":"2.0","method":"update"}]',
    '{"jsonrpc":"2.0","method":"get_data","params":null,"id":null}',
    '{"jsonrpc":"2.0","method":"get_data","params":[],"id":-0}',
    '{"__proto__":{"id":2},"jsonrpc":"2.0","method":"get_data"}',
    '{"jsonrpc":"2.0","method":1,"params":"bar"}',
    '{"jsonrpc":"2.0","method":[1],"params":1,"id":{}}',
    '{"jsonrpc":"2.0","method":"get_data","id":1e400}',
    '{"foo":"boo"}',
    '[]',
    '"x"',
    '{"jsonrpc":"2.0","method":"foobar, "params":"bar","baz]',
    `[${'{"id":1.50},'.repeat(100)}{"id":2}]`,
  ])('a large message gets the same reply as a small one: %s', async (text) => {
    const small = await jsonRpc.reply(text, origin);
    expect(await jsonRpc.reply(text + ' '.repeat(20_000), origin)).toBe(small);
    expect(await jsonRpc.reply(' '.repeat(20_000) + text, origin)).toBe(small);
  });

  it('a message may be nested to any depth', async () => {
    const deep = '['.repeat(1_000_000) + ']'.repeat(1_000_000);
    expect(await reply(deep)).toEqual([INVALID_REQUEST]);
    const request = `{"jsonrpc":"2.0","method":"textLength","params":{"a":${deep}},"id":1}`;
    expect(await reply(request)).toMatchObject({ result: deep.length + '{"a":}'.length });
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
  const repeated = (text: string, times: number) => ({ jsonrpc: '2.0', method: 'repeated', params: { text, times } });
  const error = {
    code: -32603,
    message: 'Internal error',
    data: {
      code: 'REPLY_TOO_LARGE',
      maxReplyBytes: MAX_REPLY_BYTES,
      reason: expect.stringMatching(/ask for less.*limit.*includeBodies: false.*requests.*calls/) as unknown,
    },
  };
  const bytesOf = async (message: unknown) =>
    Buffer.byteLength((await jsonRpc.reply(JSON.stringify(message), origin)) as string);

  it.each(['x', 'ä', '€', '😀', '\u0001'])(
    'a reply of the largest size is sent, and a larger one becomes an error, counted in bytes: %j',
    async (text) => {
      const bytes = Buffer.byteLength(JSON.stringify(text)) - 2;
      const overhead = (await bytesOf({ ...repeated(text, 1), id: '' })) - bytes;
      const times = Math.floor((MAX_REPLY_BYTES - overhead) / bytes);
      const id = '-'.repeat(MAX_REPLY_BYTES - overhead - times * bytes);
      expect(await bytesOf({ ...repeated(text, times), id })).toBe(MAX_REPLY_BYTES);
      expect(await reply({ ...repeated(text, times), id: `${id}-` })).toEqual({ jsonrpc: '2.0', error, id: `${id}-` });
    },
  );

  it('the result of a batch that does not fit becomes an error, and all other results are in the reply', async () => {
    const large = repeated('ä', 30_000);
    const batch = [
      { ...large, id: 1 },
      { ...large, id: 2 },
      { jsonrpc: '2.0', method: 'get_data', id: 3 },
    ];
    expect(await reply(batch)).toEqual([
      { jsonrpc: '2.0', result: ['ä'.repeat(30_000)], id: 1 },
      { jsonrpc: '2.0', error, id: 2 },
      { jsonrpc: '2.0', result: ['hello', 5], id: 3 },
    ]);
  });

  it('the reply to a batch is never larger than the limit', async () => {
    for (const length of [1, 500, 900, 2000, 10_000]) {
      const batch = Array.from({ length: 45 }, (_, id) => ({ ...repeated('€', length), id }));
      const bytes = await bytesOf(batch);
      expect(bytes).toBeLessThanOrEqual(MAX_REPLY_BYTES);
      if (length * 3 * batch.length > MAX_REPLY_BYTES) expect(bytes).toBeGreaterThan(MAX_REPLY_BYTES / 3);
    }
  });

  it('an error with a long list counts as well', async () => {
    const id = '-'.repeat(10);
    const long = { jsonrpc: '2.0', method: 'refuseAtLength', params: { length: MAX_REPLY_BYTES }, id };
    expect(await reply(long)).toEqual({ jsonrpc: '2.0', error, id });
  });

  it('writing stops before a result fills the memory', async () => {
    written = 0;
    await reply({ jsonrpc: '2.0', method: 'endless', id: 1 });
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThan(2 * MAX_REPLY_BYTES);
  });
});

describe('a caller that has proved nothing', () => {
  const KIB = 1024;
  const open = new JsonRpc(
    new Map(Object.entries(methods)),
    new CallDurations(new Registry()),
    16 * KIB * KIB,
    { loopTime, begun },
    TRACING_OFF,
  );
  const stranger = { ...origin, identity: UNPROVEN } as const;
  const repliesTo = async (message: unknown, from: CallOrigin) =>
    (await open.reply(JSON.stringify(message), from)) as string;
  const described = (id: number) => ({
    jsonrpc: '2.0',
    method: 'repeated',
    params: { text: 'x'.repeat(64), times: KIB },
    id,
  });

  it('gets small replies only, whatever it asks for', async () => {
    expect(await repliesTo(described(1), stranger)).toHaveLength((await repliesTo(described(1), origin)).length);
    const batch = Array.from({ length: 100 }, (_, id) => described(id));
    const [some, all] = [await repliesTo(batch, stranger), await repliesTo(batch, origin)];
    expect(all.length).toBeGreaterThan(6400 * KIB);
    expect(some.length).toBeLessThanOrEqual(256 * KIB);
    expect(JSON.parse(some)).toHaveLength(100);
    const tooLong = Array.from({ length: 5000 }, (_, id) => ({ id }));
    expect((await repliesTo(tooLong, stranger)).length).toBeLessThan(KIB);
  });
});
