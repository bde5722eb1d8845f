import { JsonRpcError } from '../../../../src/inbound/json-rpc/json-rpc-error';
import { completed } from '../../../../src/inbound/json-rpc/json-scanner';
import { natsReply, type ReplyLimits } from '../../../../src/inbound/nats/nats-reply';
import type { InvalidCall } from '../../../../src/inbound/json-rpc/read-call';
import { readNatsRequest } from '../../../../src/inbound/nats/nats-request';

const METHOD = 'task.get';
const MAX_BODY_BYTES = 1000;

const limits = (maxPayloadBytes?: number): ReplyLimits => ({ maxReplyBytes: 1000, maxPayloadBytes });

const read = (payload: string | Uint8Array) =>
  completed(readNatsRequest(METHOD, typeof payload === 'string' ? Buffer.from(payload) : payload, MAX_BODY_BYTES));

/** What is called, or the code of the error, its reason if there is one, and to which id. */
function callIn(payload: string | Uint8Array): unknown {
  const { call } = read(payload);
  const reasonOf = ({ data }: JsonRpcError) => (data && 'reason' in data ? { reason: data.reason } : {});
  return 'error' in call
    ? { code: call.error.code, id: call.id, ...reasonOf(call.error) }
    : { method: call.method, id: call.id, params: call.params.values, text: call.params.text };
}

/** A reply to `payload`, parsed. */
function reply(payload: string, outcome: Parameters<typeof natsReply>[1], maxPayloadBytes?: number): unknown {
  const { payload: text } = natsReply(read(payload), outcome, limits(maxPayloadBytes)) ?? {};
  return text && JSON.parse(Buffer.from(text).toString());
}

const call = (params: object, id: string | undefined, text = JSON.stringify(params)) => ({
  method: METHOD,
  id,
  params,
  text,
});

describe('a JSON-RPC request object', () => {
  it('a request object may leave out its method', () => {
    expect(callIn('{"jsonrpc":"2.0","params":{"id":"t-1"},"id":7}')).toEqual(call({ id: 't-1' }, '7'));
    expect(callIn('{"jsonrpc":"2.0","method":"task.get","params":{"id":"t-1"},"id":"a"}')).toEqual(
      call({ id: 't-1' }, '"a"'),
    );
  });

  it('a call without an id is a notification, and one with the id null a request', () => {
    expect(callIn('{"jsonrpc":"2.0","params":{}}')).toEqual(call({}, undefined));
    expect(callIn('{"jsonrpc":"2.0","params":{},"id":null}')).toEqual(call({}, 'null'));
  });

  it('a request object may have no params, and members that the specification does not name', () => {
    expect(callIn('{"jsonrpc":"2.0","id":1,"metadata":{"a":1},"pattern":"x","data":{"id":"t-2"}}')).toEqual(
      call({}, '1'),
    );
  });

  it('the text of the params is kept as it is', () => {
    expect(callIn('{"jsonrpc":"2.0", "params": {"value":1.0, "a":1e2} ,"id":1}')).toEqual(
      call({ value: 1, a: 100 }, '1', '{"value":1.0, "a":1e2}'),
    );
  });

  it.each([
    ['another method than the subject', '{"jsonrpc":"2.0","method":"task.list","id":1}', '1', /subject, task\.get$/],
    ['another method, as a notification', '{"jsonrpc":"2.0","method":"task.list"}', 'null', /subject, task\.get$/],
    ['a method that is no string', '{"jsonrpc":"2.0","method":null,"id":1}', '1', /^method must be a string$/],
    ['another version', '{"jsonrpc":"1.0","id":1}', '1', /^jsonrpc must be "2.0"$/],
    ['scalar params', '{"jsonrpc":"2.0","params":1,"id":1}', '1', /^params must be an object$/],
    ['an id that is none', '{"jsonrpc":"2.0","id":{}}', 'null', /^id must be /],
  ])('is refused with %s', (_what, payload, id, reason) => {
    expect(callIn(payload)).toEqual({ code: -32600, id, reason: expect.stringMatching(reason) as unknown });
  });

  it.each([
    ['null', {}, '{}'],
    ['[]', {}, '{}'],
    ['[ {"id":"t-1", "n":1.0} ]', { id: 't-1', n: 1 }, '{"id":"t-1", "n":1.0}'],
    ['["t-1"]', ['t-1'], '["t-1"]'],
  ])('params may be %s', (params, values, text) => {
    expect(callIn(`{"jsonrpc":"2.0","params":${params},"id":1}`)).toEqual(call(values, '1', text));
  });

  it('the reply has the form of JSON-RPC', () => {
    const payload = '{"jsonrpc":"2.0","id":"a"}';
    expect(reply(payload, { result: '{"x":1}' })).toEqual({ jsonrpc: '2.0', result: { x: 1 }, id: 'a' });
    expect(reply(payload, { error: new JsonRpcError(-32001, 'Late', { code: 'TIMEOUT' }) })).toEqual({
      jsonrpc: '2.0',
      error: { code: -32001, message: 'Late', data: { code: 'TIMEOUT' } },
      id: 'a',
    });
    expect(reply('{"jsonrpc":"2.0"}', { result: '1' })).toBeUndefined();
  });
});

describe('a request object of another version', () => {
  it('another version of JSON-RPC is refused, and not taken for params', () => {
    expect(callIn('{"jsonrpc":2,"id":1}')).toEqual({ id: '1', code: -32600, reason: 'jsonrpc must be "2.0"' });
  });
});

describe('bare params', () => {
  it.each([
    ['{"id":"t-1"}', { id: 't-1' }],
    ['{}', {}],
    ['{"data":1}', { data: 1 }],
    ['{"pattern":"x"}', { pattern: 'x' }],
    ['{ "method":"task.list","params":{} }', { method: 'task.list', params: {} }],
  ])('all of %s is params', (payload, params) => {
    expect(callIn(payload)).toEqual(call(params, 'null', payload));
  });

  it('an empty payload, null and [] are no params', () => {
    for (const payload of ['', 'null', '[]']) expect(callIn(payload)).toEqual(call({}, 'null'));
    expect(reply('', { result: '{"x":1}' })).toEqual({ jsonrpc: '2.0', result: { x: 1 }, id: null });
  });

  it('the reply has the form of JSON-RPC and the id null', () => {
    expect(reply('{"id":"t-1"}', { result: 'null' })).toEqual({ jsonrpc: '2.0', result: null, id: null });
  });
});

describe('a packet of Nest', () => {
  it('the data of a packet are the params', () => {
    expect(callIn('{"pattern":"task.get","data":{"id":"t-1", "n":1.0},"id":"a"}')).toEqual(
      call({ id: 't-1', n: 1 }, '"a"', '{"id":"t-1", "n":1.0}'),
    );
    expect(callIn('{"pattern":"task.get","id":"a"}')).toEqual(call({}, '"a"'));
  });

  it('a packet without an id is an event and gets no reply', () => {
    expect(callIn('{"pattern":"task.get","data":{"id":"t-1"}}')).toEqual(call({ id: 't-1' }, undefined));
    expect(reply('{"pattern":"task.get","data":{"id":"t-1"}}', { result: '1' })).toBeUndefined();
  });

  it.each([
    ['""', {}, '{}'],
    ['null', {}, '{}'],
    ['[]', {}, '{}'],
    ['[ {"id":"t-1", "n":1.0} ]', { id: 't-1', n: 1 }, '{"id":"t-1", "n":1.0}'],
    ['["t-1"]', ['t-1'], '["t-1"]'],
  ])('its data may be %s', (data, values, text) => {
    expect(callIn(`{"pattern":"task.get","data":${data},"id":"a"}`)).toEqual(call(values, '"a"', text));
  });

  it.each([
    ['data that is no object', '{"pattern":"task.get","data":"x","id":"a"}', '"a"', /^data must be an object$/],
    ['an id that is none', '{"pattern":"task.get","data":{},"id":[]}', 'null', /^id must be /],
  ])('is refused with %s', (_what, payload, id, reason) => {
    expect(callIn(payload)).toEqual({ code: -32600, id, reason: expect.stringMatching(reason) as unknown });
  });

  it('the reply has the form of Nest', () => {
    const payload = '{"pattern":"task.get","data":{},"id":"a"}';
    expect(reply(payload, { result: '{"x":1}' })).toEqual({ id: 'a', response: { x: 1 }, isDisposed: true });
    expect(reply(payload, { error: new JsonRpcError(-32601, 'Unknown') })).toEqual({
      id: 'a',
      err: { code: -32601, message: 'Unknown' },
      isDisposed: true,
    });
  });
});

describe('anything else', () => {
  it.each([
    ['white space', ' \n'],
    ['half an object', '{"id":'],
    ['bytes that are no UTF-8', Buffer.from('{"id":"\xe4"}', 'latin1')],
    ['a byte order mark', '\ufeff{}'],
  ])('a payload of %s is a parse error', (_what, payload) => {
    expect(callIn(payload)).toEqual({ code: -32700, id: 'null' });
  });

  it.each(['[{"jsonrpc":"2.0","id":1}]', '1', '"x"', 'true'])('the payload %s is no request', (payload) => {
    const reason = expect.stringMatching(/^a NATS request must be one object/) as unknown;
    expect(callIn(payload)).toEqual({ code: -32600, id: 'null', reason });
  });

  it('a payload over the limit is not read', () => {
    const fits = `{"a":"${'x'.repeat(MAX_BODY_BYTES - 8)}"}`;
    expect(callIn(fits)).toMatchObject({ method: METHOD });
    const refused = read(`${fits} `).call;
    const error = { code: -32600, data: { code: 'BODY_TOO_LARGE', maxBodyBytes: MAX_BODY_BYTES } };
    expect(refused).toMatchObject({ id: 'null', error });
  });
});

describe('a packet that is too large', () => {
  it('the reply has the form that Nest takes for an error', () => {
    const payload = JSON.stringify({ pattern: 'task.get', data: { a: 'x'.repeat(MAX_BODY_BYTES) }, id: 'a' });
    const { call: refused } = read(payload);
    expect(reply(payload, refused as InvalidCall)).toMatchObject({ err: { code: -32600 }, isDisposed: true, id: null });
  });
});

describe('a reply that the server would not carry', () => {
  const payload = '{"pattern":"task.get","data":{},"id":"a"}';

  it('a reply is sent up to the limit, counted in bytes', () => {
    const whole = { id: 'a', response: 'ä', isDisposed: true };
    const outcome = { result: '"ä"' };
    const bytes = Buffer.byteLength(JSON.stringify(whole));
    expect(reply(payload, outcome, bytes)).toEqual(whole);
    expect(reply(payload, outcome, bytes - 1)).toMatchObject({ err: { data: { code: 'REPLY_TOO_LARGE' } } });
  });

  it('a reply over the limit becomes an error in the form of the request', () => {
    const data = {
      code: 'REPLY_TOO_LARGE',
      maxPayloadBytes: 10,
      reason: expect.stringMatching(/^ask for less/) as unknown,
    };
    const error = { code: -32603, message: 'Internal error', data };
    expect(reply(payload, { result: '"0123456789"' }, 10)).toEqual({ id: 'a', err: error, isDisposed: true });
    expect(reply('{}', { result: '"0123456789"' }, 10)).toEqual({ jsonrpc: '2.0', error, id: null });
    expect(natsReply(read('{}'), { result: '"0123456789"' }, limits(10))?.error).toMatchObject(error);
  });

  it('a reply over the limit of the service names that limit, even if the server has none', () => {
    for (const maxPayloadBytes of [undefined, 10, 5000]) {
      expect(reply(payload, { result: `"${'ä'.repeat(480)}"` }, maxPayloadBytes)).toMatchObject({
        err: { data: { code: 'REPLY_TOO_LARGE', maxReplyBytes: 1000 } },
      });
    }
    expect(reply(payload, { result: `"${'ä'.repeat(470)}"` })).toHaveProperty('response');
  });
});
