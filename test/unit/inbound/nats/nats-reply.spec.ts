import { headers, type MsgHdrs } from '@nats-io/transport-node';
import { Authenticator } from '../../../../src/inbound/auth/authenticator';
import { JsonRpcError } from '../../../../src/inbound/json-rpc/json-rpc-error';
import { natsOrigin } from '../../../../src/inbound/nats/nats-origin';
import { replyHeaders } from '../../../../src/inbound/nats/nats-reply';

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const NOT_FOUND = new JsonRpcError(-32602, 'Task t not found', { code: 'TASK_NOT_FOUND' });

const authenticator = new Authenticator({}, 'replica-1');
const originOf = (sent?: MsgHdrs, isTraced = true) => natsOrigin(sent, authenticator, isTraced);

function sent(values: Readonly<Record<string, readonly string[]>>): MsgHdrs {
  const sent = headers();
  for (const [name, all] of Object.entries(values)) for (const value of all) sent.append(name, value);
  return sent;
}

const listOf = (reply: MsgHdrs | undefined) => reply && reply.keys().map((name) => [name, reply.get(name)]);

describe('the headers of a reply over NATS', () => {
  it('are none for a result of a request without an id', async () => {
    const { ids, gaveId } = await originOf();
    expect(replyHeaders(undefined, ids, gaveId)).toBeUndefined();
  });

  it('have the id of the request if it gave one, whatever the case of the name', async () => {
    const { ids, gaveId } = await originOf(sent({ 'X-Request-Id': ['r-1'] }));
    expect(listOf(replyHeaders(undefined, ids, gaveId))).toEqual([['x-request-id', 'r-1']]);
  });

  it('have an id with every error', async () => {
    const { ids, gaveId } = await originOf();
    expect(listOf(replyHeaders(NOT_FOUND, ids, gaveId))).toEqual([
      ['x-request-id', expect.stringMatching(/^[0-9a-f-]{36}$/)],
      ['Nats-Service-Error', 'Task t not found'],
      ['Nats-Service-Error-Code', '-32602'],
    ]);
  });

  it.each([['a', 'b'], ['two words'], ['x'.repeat(129)]])(
    'have no id of the sender that is not valid: %s',
    async (...all) => {
      const { ids, gaveId } = await originOf(sent({ 'x-request-id': all }));
      expect([gaveId, replyHeaders(undefined, ids, gaveId)]).toEqual([false, undefined]);
      expect(ids.requestId).toMatch(/^[0-9a-f-]{36}$/);
    },
  );
});

describe('the trace of a request over NATS', () => {
  it('is that of its headers', async () => {
    const { trace, ids } = await originOf(sent({ traceparent: [TRACEPARENT], tracestate: ['a=1', 'b=2'] }));
    expect(trace).toEqual({ traceparent: TRACEPARENT, tracestate: 'a=1, b=2' });
    expect(ids.traceId).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
  });

  it('is only named in the log if no traces are recorded', async () => {
    const { trace, ids } = await originOf(sent({ traceparent: [TRACEPARENT] }), false);
    expect([trace, ids.traceId]).toEqual([undefined, '4bf92f3577b34da6a3ce929d0e0e4736']);
  });

  it.each([['garbage'], [TRACEPARENT, TRACEPARENT], ['x'.repeat(100_000)]])(
    'is none if the header is not valid',
    async (...all) => {
      const { trace, ids } = await originOf(sent({ traceparent: all }));
      expect([trace, ids.traceId]).toEqual([undefined, undefined]);
    },
  );
});
