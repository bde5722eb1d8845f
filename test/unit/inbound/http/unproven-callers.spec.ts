import type { AddressInfo } from 'node:net';
import type { HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import fastify, { type FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';
import { TRACING_OFF } from '../../../../src/core/ports/tracing';
import type { ApiKeys } from '../../../../src/inbound/auth/api-keys';
import type { AccessTokens } from '../../../../src/inbound/auth/access-tokens';
import { Authenticator } from '../../../../src/inbound/auth/authenticator';
import { AuthenticationFailure, type Identity } from '../../../../src/inbound/auth/credential';
import { Lifecycle } from '../../../../src/inbound/health/lifecycle';
import { JsonRpcHttpOptions, JsonRpcHttpStrategy } from '../../../../src/inbound/http/json-rpc-http.strategy';
import type { CallContext } from '../../../../src/inbound/json-rpc/call-context';
import { CallDurations } from '../../../../src/inbound/json-rpc/call-durations';
import { JsonRpcError } from '../../../../src/inbound/json-rpc/json-rpc-error';
import { LoadShedder } from '../../../../src/inbound/load/load-shedder';
import { until } from '../../../support/poll';
import { openConnection } from '../../../support/raw-http';

const SMALL_BYTES = 64 * 1024;
const KEY = { 'x-api-key': 'good' };
const JSON_TYPE = { 'content-type': 'application/json' };
const UNAUTHORIZED = { code: -32002, message: 'Unauthorized', data: { code: 'UNAUTHORIZED' } };
/** More than the sockets of both ends hold. */
const LARGE_TEXT = 'x'.repeat(16 * 1024 * 1024);

const apiKeys = {
  find: (key: string) => (key === 'good' ? { caller: { organization: 'acme', name: 'a' }, role: 'admin' } : undefined),
} as ApiKeys;

let server: FastifyInstance;
let load: LoadShedder;
let url: string;
let tokenOutcome: Promise<Identity>;

beforeEach(async () => {
  server = fastify();
  load = new LoadShedder({ maxInFlight: 1, maxEventLoopDelayMs: 1_000_000 });
  tokenOutcome = Promise.resolve(new AuthenticationFailure('unauthorized'));
  const accessTokens = { verify: () => tokenOutcome } as unknown as AccessTokens;
  const lifecycle = new Lifecycle();
  lifecycle.started();
  const strategy = new JsonRpcHttpStrategy(
    { httpAdapter: { getInstance: () => server } } as unknown as HttpAdapterHost<FastifyAdapter>,
    new JsonRpcHttpOptions(1024 * 1024, 2 ** 28),
    new Authenticator({ apiKeys, accessTokens }, 'replica-1'),
    lifecycle,
    load,
    new CallDurations(new Registry()),
    TRACING_OFF,
  );
  const guarded = (result: unknown) => (_params: unknown, context: CallContext) => {
    try {
      return Promise.resolve(context.caller && result);
    } catch {
      throw new JsonRpcError(-32002, 'Unauthorized', { code: 'UNAUTHORIZED' });
    }
  };
  strategy.addHandler('small', guarded('done') as never);
  strategy.addHandler('large', guarded(LARGE_TEXT) as never);
  strategy.listen(() => undefined);
  await server.listen({ port: 0, host: '127.0.0.1' });
  url = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.server.closeAllConnections();
  return server.close();
});

const call = (method: string, padding = '') => JSON.stringify({ jsonrpc: '2.0', method, id: 1, padding });
const post = async (body: string, headers: Record<string, string> = {}) => {
  const response = await fetch(`${url}/rpc`, { method: 'POST', body, headers: { ...JSON_TYPE, ...headers } });
  return { status: response.status, reply: await response.json() };
};

describe('a caller without a valid credential', () => {
  it('gets an error for each call of a small batch', async () => {
    const { reply } = await post(`[${call('small')},${call('small')}]`);
    expect(reply).toEqual([1, 1].map((id) => ({ jsonrpc: '2.0', error: UNAUTHORIZED, id })));
  });

  it.each<Record<string, string>>([{}, { 'x-api-key': 'wrong' }, { authorization: 'Bearer a.b.c' }])(
    'with %j gets one error for a large body, which is not read',
    async (credential) => {
      const { status, reply } = await post(call('small', 'x'.repeat(SMALL_BYTES)), credential);
      expect([status, reply]).toEqual([200, { jsonrpc: '2.0', error: UNAUTHORIZED, id: null }]);
    },
  );

  it('learns that the keys of its issuer are unavailable', async () => {
    tokenOutcome = Promise.resolve(new AuthenticationFailure('unavailable'));
    const { reply } = await post(call('small', 'x'.repeat(SMALL_BYTES)), { authorization: 'Bearer a.b.c' });
    expect(reply).toMatchObject({ error: { code: -32001, data: { code: 'KEY_SET_UNAVAILABLE' } }, id: null });
  });

  it('is refused and disconnected if its body has no end', async () => {
    const socket = await openConnection(url);
    let reply = '';
    // The service hangs up while this side is still sending: the end may look like an error.
    socket.on('error', () => undefined).on('data', (bytes) => (reply += bytes.toString()));
    socket.write('POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n');
    socket.write('Transfer-Encoding: chunked\r\n\r\n');
    const chunk = 'x'.repeat(16 * 1024);
    const sending = setInterval(() => socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`), 20);
    await new Promise((resolve) => socket.once('close', resolve));
    clearInterval(sending);
    expect(reply).toContain('-32002');
  });
});

describe('a caller with a valid credential', () => {
  it('may send a large body', async () => {
    expect((await post(call('small', 'x'.repeat(SMALL_BYTES)), KEY)).reply).toMatchObject({ result: 'done' });
    expect((await post(call('small', 'x'.repeat(1024 * 1024)), KEY)).status).toBe(413);
  });

  it('is served while others wait for the keys of their issuer', async () => {
    let settle!: (identity: Identity) => void;
    tokenOutcome = new Promise((resolve) => (settle = resolve));
    const waiting = post(call('small'), { authorization: 'Bearer a.b.c' });
    expect((await post(call('small'), KEY)).reply).toMatchObject({ result: 'done' });
    expect(load.isOverloaded).toBe(false);
    settle(new AuthenticationFailure('unauthorized'));
    expect((await waiting).reply).toMatchObject({ error: UNAUTHORIZED });
  });

  it.each(['reads it', 'hangs up'])('keeps its call in flight until it has its reply, or %s', async (end) => {
    const body = call('large');
    const socket = await openConnection(url);
    socket.setTimeout(0).pause();
    socket.write(
      `POST /rpc HTTP/1.1\r\nHost: localhost\r\nx-api-key: good\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await until('the call is in flight', () => load.isOverloaded);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(load.isOverloaded).toBe(true);
    if (end === 'reads it') socket.resume();
    else socket.destroy();
    await until('the call is over', () => !load.isOverloaded);
    socket.destroy();
  });
});
