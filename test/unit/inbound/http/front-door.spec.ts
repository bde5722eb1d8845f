import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { FrontDoor, type FrontDoorOptions } from '../../../../src/inbound/http/front-door';
import { httpServerOptions } from '../../../../src/inbound/http/http-server-options';
import { until } from '../../../support/poll';
import { exchange, openConnection } from '../../../support/raw-http';

const APP = 'https://app.example';
const OPEN: FrontDoorOptions = {
  corsOrigins: [APP],
  isOpen: true,
  hosts: (name) => name === 'localhost' || name === 'dossier.test',
  maxConnectionsPerPeer: 1000,
  trustedProxies: [],
};
/** More than the sockets of both ends hold. */
const LARGE_REPLY = 'x'.repeat(32 * 1024 * 1024);
const SLOW_TEST_MS = 60_000;

let server: FastifyInstance;
/** Ends the requests that wait, by their ids. */
let waiting: Map<string, (reply: string) => void>;
beforeEach(() => {
  waiting = new Map();
});
afterEach(() => {
  server.server.closeAllConnections();
  return server.close();
});

async function start(
  options: Partial<FrontDoorOptions> = {},
  timeouts = {},
  onRefusal?: ConstructorParameters<typeof FrontDoor>[1],
): Promise<string> {
  server = fastify(httpServerOptions([], timeouts));
  new FrontDoor({ ...OPEN, ...options }, onRefusal).install(server);
  for (const url of ['/rpc', '/events', '/livez']) {
    server.route({ method: ['GET', 'POST', 'DELETE'], url, handler: () => 'served' });
  }
  server.get('/large', () => LARGE_REPLY);
  server.get('/names', ({ query }) => String(Object.keys(query as object).length));
  server.get<{ Params: { id: string } }>(
    '/waits/:id',
    ({ params }) => new Promise((end) => waiting.set(params.id, end)),
  );
  await server.listen({ port: 0, host: '127.0.0.1' });
  return `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
}

type Method = 'GET' | 'POST' | 'DELETE' | 'OPTIONS';
const send = (method: Method, url: string, headers: Record<string, string> = {}) =>
  server.inject({ method, url, headers: { host: 'localhost:3000', ...headers } });

describe('a web page while authentication is off', () => {
  it.each<[string, Record<string, string>]>([
    ['no browser', {}],
    ['another port', { host: 'localhost:4000' }],
    ['no port', { host: 'localhost' }],
    ['the name in capitals', { host: 'LOCALHOST:3000' }],
    ['the configured host', { host: 'dossier.test:3000' }],
    ['its own page', { origin: 'http://localhost:3000', 'sec-fetch-site': 'same-origin' }],
    ['its own page behind TLS', { origin: 'https://localhost:3000' }],
    ['an address that is typed', { 'sec-fetch-site': 'none' }],
    ['a page of an allowed origin', { origin: APP, 'sec-fetch-site': 'cross-site' }],
  ])('%s is served', async (_name, headers) => {
    await start();
    for (const [method, url] of [
      ['POST', '/rpc'],
      ['GET', '/events'],
      ['DELETE', '/livez'],
    ] as const) {
      expect((await send(method, url, headers)).statusCode).toBe(200);
    }
  });

  it.each<[string, Record<string, string>]>([
    ['a name that stands for this machine', { host: 'attacker.example:3000' }],
    ['a name that begins like an allowed one', { host: 'localhost.attacker.example' }],
    ['a name with a user', { host: 'localhost:3000@attacker.example' }],
    ['a page of another origin', { origin: 'https://attacker.example' }],
    ['a page of another port', { origin: 'http://localhost:5173' }],
    ['a page without an origin', { origin: 'null' }],
    ['a request that says it is cross-site', { 'sec-fetch-site': 'cross-site' }],
    ['a request that says it is same-site', { 'sec-fetch-site': 'same-site' }],
    ['an image', { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'image' }],
  ])('%s is refused', async (_name, headers) => {
    await start();
    const overRpc = await send('POST', '/rpc', headers);
    expect([overRpc.statusCode, overRpc.json()]).toEqual([
      403,
      {
        jsonrpc: '2.0',
        error: {
          code: -32004,
          message: 'Forbidden',
          data: { code: 'ORIGIN_NOT_ALLOWED', reason: expect.any(String) as unknown },
        },
        id: null,
      },
    ]);
    for (const [method, url] of [
      ['DELETE', '/livez'],
      ['GET', '/events'],
      ['GET', '/missing'],
    ] as const) {
      const reply = await send(method, url, headers);
      expect([reply.statusCode, reply.json()]).toEqual([
        403,
        { detail: expect.stringMatching(/^Forbidden: ./) as unknown },
      ]);
    }
  });

  it('a link from another page is served', async () => {
    await start();
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    expect((await send('GET', '/livez', link)).statusCode).toBe(200);
    expect((await send('POST', '/rpc', link)).statusCode).toBe(403);
  });

  it('any Host is served on an interface that is not loopback', async () => {
    await start({ hosts: undefined });
    expect((await send('POST', '/rpc', { host: 'dossier.internal' })).statusCode).toBe(200);
    const page = { host: 'dossier.internal', origin: 'https://attacker.example' };
    expect((await send('POST', '/rpc', page)).statusCode).toBe(403);
  });
});

describe('a web page while calls need a credential', () => {
  it('is served, whatever its origin', async () => {
    await start({ isOpen: false });
    const page = { host: 'dossier.internal', origin: 'https://other.example', 'sec-fetch-site': 'cross-site' };
    expect((await send('POST', '/rpc', page)).statusCode).toBe(200);
  });
});

describe('CORS_ORIGINS', () => {
  const preflight = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-api-key' };

  it.each([true, false])(
    'lets pages of its origins call and read replies (authentication is off: %s)',
    async (isOpen) => {
      await start({ isOpen });
      for (const url of ['/rpc', '/events', '/livez']) {
        const asked = await send('OPTIONS', url, { origin: APP, ...preflight });
        expect(asked.statusCode).toBe(204);
        expect(asked.headers).toMatchObject({
          'access-control-allow-origin': APP,
          'access-control-allow-methods': 'GET, POST, DELETE',
          'access-control-allow-headers': expect.stringContaining('x-api-key') as unknown,
          vary: 'origin',
        });
        const reply = await send('POST', url, { origin: APP });
        expect(reply.headers).toMatchObject({ 'access-control-allow-origin': APP, vary: 'origin' });
      }
    },
  );

  it('says nothing to pages of other origins', async () => {
    await start({ isOpen: false });
    const other = { origin: 'https://other.example' };
    const replies = [await send('OPTIONS', '/rpc', { ...other, ...preflight }), await send('POST', '/rpc', other)];
    for (const { headers } of replies) expect(headers).not.toHaveProperty('access-control-allow-origin');
    expect(replies[0]?.statusCode).toBe(404);
  });
});

describe('every HTTP reply', () => {
  it('is neither guessed nor kept by a browser, even if it is a refusal', async () => {
    await start();
    const replies = [
      await send('GET', '/livez'),
      await send('GET', '/missing'),
      await send('GET', '/%zz'),
      await send('POST', '/rpc', { origin: 'https://attacker.example' }),
    ];
    for (const { headers } of replies) {
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
    }
    const { port } = server.server.address() as AddressInfo;
    expect(await exchange(`http://127.0.0.1:${port}`, 'no HTTP\r\n\r\n')).toMatch(
      /^HTTP\/1.1 400 .*nosniff.*no-store/s,
    );
  });

  it('has the id of its request, even if it is a refusal', async () => {
    await start();
    const ids = { 'x-request-id': 'r-1' };
    const replies = [
      await send('GET', '/livez', ids),
      await send('GET', '/missing', ids),
      await send('GET', '/%zz', ids),
      await send('POST', '/rpc', { ...ids, origin: 'https://attacker.example' }),
    ];
    expect(replies.map(({ headers }) => headers['x-request-id'])).toEqual(Array(4).fill('r-1'));
    const expecting = 'GET /livez HTTP/1.1\r\nhost: localhost\r\nexpect: more\r\nx-request-id: r-1\r\n\r\n';
    const { port } = server.server.address() as AddressInfo;
    expect(await exchange(`http://127.0.0.1:${port}`, expecting)).toMatch(/^HTTP\/1.1 417 .*x-request-id: r-1\r\n/s);
  });

  it.each(['none', '', 'x'.repeat(129), 'two words', 'pr\u00fcfung'])(
    'has a new id if its request has no valid one: %s',
    async (sent) => {
      await start();
      const { headers } = await send('GET', '/livez', sent === 'none' ? {} : { 'x-request-id': sent });
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    },
  );

  it('has a new id if its request has two', async () => {
    const url = await start();
    const request = 'GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n';
    const reply = await exchange(url, `${request}x-request-id: a\r\nX-Request-Id: b\r\n\r\n`);
    expect(reply).toMatch(/x-request-id: [0-9a-f-]{36}\r\n/);
  });

  it('that refuses a web page is counted with the id of its request', async () => {
    const refused: unknown[] = [];
    await start({}, {}, (error, ids) => refused.push([error.data?.code, ids]));
    const ids = { requestId: 'r-1', traceId: '4bf92f3577b34da6a3ce929d0e0e4736' };
    const traceparent = `00-${ids.traceId}-00f067aa0ba902b7-01`;
    await send('POST', '/rpc', { origin: 'https://attacker.example', 'x-request-id': 'r-1', traceparent });
    expect(refused).toEqual([['ORIGIN_NOT_ALLOWED', ids]]);
  });

  it.each([
    ['no Host', 'GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n', 400],
    ['an expectation that Node does not know', 'GET /livez HTTP/1.1\r\nhost: localhost\r\nexpect: more\r\n\r\n', 417],
  ])('is a refusal with the headers of every reply if the request has %s', async (_name, request, status) => {
    const reply = await exchange(await start(), request);
    expect(reply).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    for (const header of ['x-content-type-options: nosniff', 'cache-control: no-store'])
      expect(reply).toContain(header);
  });

  it('is a refusal if the URL is longer than any that is needed, and the names of its query are not read', async () => {
    await start();
    const names = (length: number) => Array.from({ length }, (_, i) => `${i}=`).join('&');
    for (const path of ['/livez', '/rpc', '/missing', '/names']) {
      const { statusCode, body } = await send('POST', `${path}?${names(1000)}`);
      expect([statusCode, body]).toEqual([414, expect.stringContaining('longer than 4096 characters')]);
    }
    expect((await send('GET', `/names?${names(500)}`)).body).toBe('500');
    const parse = httpServerOptions([]).routerOptions?.querystringParser;
    expect([parse?.(names(1000)), parse?.('a=%20&b')]).toEqual([{}, { a: ' ', b: '' }]);
  });

  it('is a refusal if the request has two Host headers', async () => {
    const url = await start({ hosts: undefined });
    for (const path of ['/livez', '/rpc']) {
      const request = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nhost: other\r\nConnection: close\r\n\r\n`;
      expect(await exchange(url, request)).toMatch(/^HTTP\/1.1 400 .*two Host headers/s);
    }
  });
});

describe('a request that is broken', () => {
  const GET = 'GET /waits/a HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const BROKEN_CHUNK =
    'POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n';
  const statuses = (text: string) => text.match(/(?<=HTTP\/1\.1 )\d+/g);

  it.each([
    ['its first line', 'GARBAGE\r\n\r\n'],
    ['its body', BROKEN_CHUNK],
    ['more than one place', `${BROKEN_CHUNK}GARBAGE\r\n\r\n`],
  ])('in %s is refused after the reply to the one before it', async (_name, broken) => {
    const replies = exchange(await start(), GET + broken);
    await until('the first one waits', () => waiting.has('a'));
    waiting.get('a')?.('first');
    const text = await replies;
    expect(statuses(text)).toEqual(['200', '400']);
    expect(text).toMatch(/first.*Bad Request/s);
  });

  it('is refused at once if nothing comes before it', async () => {
    expect(statuses(await exchange(await start(), BROKEN_CHUNK))).toEqual(['400']);
  });
});

describe('a client that takes its time', () => {
  const TIMEOUTS = { requestTimeoutMs: 400, headersTimeoutMs: 200, checkIntervalMs: 50 };

  it.each([
    ['headers', 'POST /rpc HTTP/1.1\r\nHost: localhost\r\nx: '],
    ['a body', 'POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nhalf'],
    ['nothing', ''],
  ])('is disconnected if it does not finish %s', async (_name, bytes) => {
    const url = await start({}, TIMEOUTS);
    const startedAtMs = performance.now();
    expect(await exchange(url, bytes)).toMatch(/^HTTP\/1.1 408 /);
    expect(performance.now() - startedAtMs).toBeLessThan(5000);
  });

  it(
    'is disconnected if it takes nothing of its reply for ten seconds; a slow reader gets all of it',
    async () => {
      const url = await start();
      const request = 'GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n';
      const [still, slow] = [await openConnection(url), await openConnection(url)];
      for (const socket of [still, slow]) {
        socket.setTimeout(0);
        socket.pause();
        socket.on('error', () => undefined);
        socket.write(request);
      }
      // Not `once` of node:events, which throws the error of the reset.
      const isClosed = new Promise((resolve) => still.once('close', resolve));
      const connections = () => new Promise<number>((resolve) => server.server.getConnections((_, n) => resolve(n)));
      let received = 0;
      const reading = setInterval(() => (received += (slow.read() as Buffer | null)?.length ?? 0), 25);
      await until('the reader that takes nothing is disconnected', async () => (await connections()) < 2, SLOW_TEST_MS);
      await until('the slow reader has all', () => received > LARGE_REPLY.length, SLOW_TEST_MS);
      clearInterval(reading);
      // The operating system has kept nothing that the reader might still take: without a reset it keeps megabytes.
      let keptBytes = 0;
      still.on('data', (part: Buffer) => (keptBytes += part.length)).resume();
      await isClosed;
      expect(keptBytes).toBeLessThan(2 ** 19);
      slow.destroy();
    },
    2 * SLOW_TEST_MS,
  );
});

describe('a peer with many connections', () => {
  it('has no more than the bound, until one of them closes', async () => {
    const url = await start({ maxConnectionsPerPeer: 2 });
    const [first, second] = [await openConnection(url), await openConnection(url)];
    const request = 'GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
    await sleep(100);
    expect(await exchange(url, request).catch(() => 'hung up')).not.toContain('served');
    first.destroy();
    await once(first, 'close');
    const served = async () => (await exchange(url, request).catch(() => '')).includes('served');
    await until('another is served', served);
    second.destroy();
  });

  it('has no bound if it is a trusted proxy', async () => {
    const url = await start({ maxConnectionsPerPeer: 1, trustedProxies: ['127.0.0.0/8'] });
    const first = await openConnection(url);
    expect((await fetch(`${url}/livez`)).status).toBe(403);
    first.destroy();
  });
});

describe('requests that are sent without waiting for replies', () => {
  const requests = (ids: readonly string[], last = 'close') =>
    ids
      .map(
        (id) =>
          `GET /waits/${id} HTTP/1.1\r\nhost: localhost\r\n${id === ids.at(-1) ? `connection: ${last}\r\n` : ''}\r\n`,
      )
      .join('');
  const ids = (count: number) => Array.from({ length: count }, (_, i) => `r${i}`);

  it('a few of one connection are handled at the same time, and all are replied to in their order', async () => {
    const url = await start();
    const replies = exchange(url, requests(ids(40)));
    let handled = 0;
    while (handled < 40) {
      await until('a request waits', () => Promise.resolve(waiting.size > 0));
      expect(waiting.size).toBeLessThanOrEqual(8);
      // The last one first: it makes room for no other one until it is served.
      for (const [id, end] of [...waiting].reverse()) {
        waiting.delete(id);
        end(`reply to ${id}`);
        handled += 1;
      }
    }
    expect([...(await replies).matchAll(/reply to (r\d+)/g)].map(([, id]) => id)).toEqual(ids(40));
  });

  it('a connection with too many is closed, and others are served', async () => {
    const url = await start({ isOpen: false });
    expect(await exchange(url, requests(ids(500), 'keep-alive'))).toBe('');
    expect(waiting.size).toBeLessThanOrEqual(8);
    expect((await fetch(`${url}/livez`)).status).toBe(200);
  });
});
