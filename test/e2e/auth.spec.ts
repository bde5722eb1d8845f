import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { SignJWT, type JWTPayload } from 'jose';
import { natsHeaders } from '../support/nats-headers';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { startRedis, type RedisServer } from '../support/redis-server';
import { createRuntimeDatabase } from '../support/runtime-database';
import { runProgram, startService, type Environment, type RpcReply, type Service } from '../support/service';
import { withRedis } from '../support/setups';

const ROLES = ['read', 'write', 'admin'] as const;
type Role = (typeof ROLES)[number];
type Send = (method: string, params: object, credential: Environment) => Promise<string>;

const OWNER = 'acme';
const STRANGER = 'other';
const ISSUER = 'https://issuer.test';
const AUDIENCE = 'dossier';
const TIMEOUT_MS = 10_000;
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();

const keyOf = (organization: string, role: Role) => ({ 'x-api-key': `key-of-${organization}-${role}` });
const entryOf = (organization: string, role: Role, key = keyOf(organization, role)['x-api-key']) => {
  const sha256 = createHash('sha256').update(key).digest('hex');
  return { id: randomUUID(), name: `${role} at ${organization}`, organization, role, sha256 };
};
const ENTRIES = [OWNER, STRANGER].flatMap((organization) => ROLES.map((role) => entryOf(organization, role)));

/** In an order in which all of them succeed on one task. */
const METHODS: readonly (readonly [method: string, needs: Role, params: (taskId: string) => object])[] = [
  ['task.get', 'read', (id) => ({ id })],
  ['task.list', 'read', (id) => ({ parentId: id })],
  ['task.usage', 'read', () => ({})],
  ['task.get_attachment', 'read', (taskId) => ({ taskId, key: 'a' })],
  ['task.list_attachments', 'read', (taskId) => ({ taskId })],
  ['task.get_attachments_batch', 'read', (taskId) => ({ requests: [{ taskId, key: 'a' }] })],
  ['task.create', 'write', (parentId) => ({ text: 'x', parentId })],
  ['task.create_attachment', 'write', (taskId) => ({ taskId, key: 'b', type: 'text', content: 'x' })],
  ['task.update', 'write', (id) => ({ id, updates: { priority: 1 } })],
  ['task.delete_attachment', 'write', (taskId) => ({ taskId, key: 'a' })],
  ['task.complete', 'write', (id) => ({ id })],
  ['task.cancel', 'write', (id) => ({ id })],
  ['task.delete', 'admin', (id) => ({ id })],
];

const folder = mkdtempSync(join(tmpdir(), 'dossier-auth-'));
const keysFile = join(folder, 'keys.json');
const writeKeys = (entries: readonly object[]) => writeFileSync(keysFile, JSON.stringify(entries));

let postgres: PostgresServer;
let redis: RedisServer;
let nats: NatsServer;
let service: Service;
let client: NatsConnection;

beforeAll(async () => {
  writeKeys(ENTRIES);
  [postgres, redis, nats] = await Promise.all([startPostgres(), startRedis(), startNats()]);
  service = await startService({
    DATABASE_URL: (await createRuntimeDatabase(postgres)).url,
    REDIS_URL: redis.url,
    NATS_URL: nats.url,
    API_KEYS_FILE: keysFile,
    JWT_PUBLIC_KEY: publicPem,
    JWT_ISSUER: ISSUER,
    JWT_AUDIENCE: AUDIENCE,
  });
  client = await connect({ servers: nats.url });
  await until('NATS requests are answered', () => sendNats('task.list', {}, {}).catch(() => undefined));
});

afterAll(async () => {
  await client?.close();
  await service?.kill();
  await Promise.all([nats?.stop(), postgres?.stop(), redis?.stop()]);
  rmSync(folder, { recursive: true });
});

const messageOf = (method: string, params: object) => JSON.stringify({ jsonrpc: '2.0', method, params, id: 1 });

const sendHttp: Send = async (method, params, credential) =>
  (await service.post(messageOf(method, params), credential)).text;

const sendNats: Send = async (method, params, credential) => {
  const headers = natsHeaders(credential);
  const reply = await client.request(method, messageOf(method, params), { timeout: TIMEOUT_MS, headers });
  return reply.string();
};

const TRANSPORTS = [
  { transport: 'HTTP', send: sendHttp },
  { transport: 'NATS', send: sendNats },
];

const errorOf = (reply: string) => (JSON.parse(reply) as RpcReply).error;
const hasResult = (reply: string) => (JSON.parse(reply) as RpcReply).result !== undefined;
const NO_CREDENTIALS: readonly Environment[] = [{}, { 'x-api-key': 'wrong' }, { 'x-instance-id': OWNER }];
const UNAUTHORIZED = { code: -32002, message: 'Unauthorized', data: { code: 'UNAUTHORIZED' } };

/** A valid token, unless the arguments say otherwise. */
function token(claims: JWTPayload, key = privateKey, expiresIn = '1h'): Promise<string> {
  return new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: 'user', organization: OWNER, role: 'admin', ...claims })
    .setProtectedHeader({ alg: 'EdDSA' })
    .setExpirationTime(expiresIn)
    .sign(key);
}

/** An open event stream. */
async function follow(headers: Environment) {
  const aborter = new AbortController();
  const { status, body } = await fetch(`${service.url}/events`, { headers, signal: aborter.signal });
  expect(status).toBe(200);
  const stream = { hasEnded: false, close: () => aborter.abort() };
  const read = async () => {
    for await (const _chunk of body as unknown as AsyncIterable<Uint8Array>);
  };
  void read().then(
    () => (stream.hasEnded = true),
    () => undefined,
  );
  return stream;
}

/** A task of the owner with one attachment. All of it is cached, or nothing. */
async function ownersTask(cache: string): Promise<string> {
  const id = randomUUID();
  const owner = keyOf(OWNER, 'admin');
  await service.result('task.create', { id, text: 'x' }, owner);
  await service.result('task.create_attachment', { taskId: id, key: 'a', type: 'text', content: 'secret' }, owner);
  await service.result('task.list_attachments', { taskId: id }, owner);
  if (cache === 'cold') await withRedis(redis.url, (connection) => connection.flushall());
  return id;
}

describe.each(TRANSPORTS)('authentication over $transport', ({ send }) => {
  describe.each(['warm', 'cold'])('with a %s cache', (cache) => {
    it.each(ROLES)(
      'a key with the role %s may call exactly the methods of that role on tasks of its own organisation',
      async (role) => {
        const id = await ownersTask(cache);
        for (const [method, needs, params] of METHODS) {
          const reply = await send(method, params(id), keyOf(OWNER, role));
          if (ROLES.indexOf(role) >= ROLES.indexOf(needs)) expect([method, hasResult(reply)]).toEqual([method, true]);
          else expect([method, errorOf(reply)]).toMatchObject([method, { code: -32004, message: 'Forbidden' }]);
        }
      },
    );

    it.each(ROLES)(
      'a key with the role %s gets the same reply for a foreign task as for a missing one',
      async (role) => {
        const id = await ownersTask(cache);
        const missing = randomUUID();
        const owner = keyOf(OWNER, 'read');
        const before = await send('task.get', { id }, owner);
        for (const [method, , params] of METHODS) {
          const foreign = await send(method, params(id), keyOf(STRANGER, role));
          const expected = await send(method, params(missing), keyOf(STRANGER, role));
          expect(foreign).toBe(expected.replaceAll(missing, id));
          expect(foreign).not.toContain('secret');
        }
        expect(await send('task.get', { id }, owner)).toBe(before);
        expect(hasResult(await send('task.get_attachment', { taskId: id, key: 'a' }, owner))).toBe(true);
      },
    );

    it('a caller without valid credentials may call no method', async () => {
      const id = await ownersTask(cache);
      for (const [method, , params] of METHODS) {
        for (const credential of NO_CREDENTIALS) {
          expect([method, errorOf(await send(method, params(id), credential))]).toEqual([method, UNAUTHORIZED]);
        }
      }
    });
  });

  it('a token gives the role, the organisation and the name of the author', async () => {
    const id = await ownersTask('warm');
    const bearer = async (claims: JWTPayload) => ({ authorization: `Bearer ${await token(claims)}` });
    const { result } = JSON.parse(await send('task.get', { id }, await bearer({ role: 'read' }))) as RpcReply;
    expect(result).toMatchObject({ id, createdBy: 'admin at acme' });
    expect(errorOf(await send('task.cancel', { id }, await bearer({ role: 'read' })))).toMatchObject({ code: -32004 });
    const foreign = await send('task.get', { id }, await bearer({ organization: STRANGER }));
    expect(errorOf(foreign)).toMatchObject({ message: `Task ${id} not found` });
    const attachment = { taskId: id, key: 'b', type: 'text', content: 'x' };
    expect(hasResult(await send('task.create_attachment', attachment, await bearer({ name: 'Zoë' })))).toBe(true);
    const written = await send('task.get_attachment', { taskId: id, key: 'b' }, keyOf(OWNER, 'read'));
    expect(JSON.parse(written)).toMatchObject({ result: { createdBy: 'Zoë' } });
  });

  it('a token that is forged, expired, incomplete or meant for another service is refused', async () => {
    const id = await ownersTask('warm');
    const [, payload] = (await token({})).split('.');
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
    const tokens = [
      unsigned,
      await token({}, generateKeyPairSync('ed25519').privateKey),
      await token({}, privateKey, '-1s'),
      await token({ iss: 'https://other.test' }),
      await token({ aud: 'other' }),
      await token({ organization: undefined }),
      await token({ role: 'root' }),
    ];
    for (const each of tokens) {
      const reply = await send('task.get', { id }, { authorization: `Bearer ${each}` });
      expect(errorOf(reply)).toEqual(UNAUTHORIZED);
    }
  });
});

describe('authentication of HTTP alone', () => {
  it('each call of a batch is refused by itself, and notifications get no reply', async () => {
    const call = { jsonrpc: '2.0', method: 'task.list', params: {} };
    const { text } = await service.post(JSON.stringify([{ ...call, id: 1 }, call, { ...call, id: 2 }]));
    expect(JSON.parse(text)).toEqual([1, 2].map((id) => ({ jsonrpc: '2.0', error: UNAUTHORIZED, id })));
    expect((await service.post(JSON.stringify([call, call]))).status).toBe(204);
  });

  it('GET /events needs a key that may read, and sends only the events of its organisation', async () => {
    expect((await service.fetch('/events')).status).toBe(401);
    const abort = new AbortController();
    const { body, status } = await fetch(`${service.url}/events`, {
      headers: keyOf(STRANGER, 'read'),
      signal: abort.signal,
    });
    expect(status).toBe(200);
    const foreign = await ownersTask('warm');
    const { id: own } = await service.result<{ id: string }>('task.create', { text: 'x' }, keyOf(STRANGER, 'write'));
    let seen = '';
    try {
      for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
        seen += Buffer.from(chunk).toString();
        if (seen.includes(own)) break;
      }
    } finally {
      abort.abort();
    }
    expect(seen).not.toContain(foreign);
  });

  it('GET /events ends when its token expires', async () => {
    const lasting = await follow({ authorization: `Bearer ${await token({})}` });
    const brief = await follow({ authorization: `Bearer ${await token({}, privateKey, '3s')}` });
    expect(brief.hasEnded).toBe(false);
    await until('the stream has ended', () => brief.hasEnded, TIMEOUT_MS);
    expect(lasting.hasEnded).toBe(false);
    lasting.close();
  });

  it('a call that the role forbids counts in the rate limit', async () => {
    const reader = entryOf(STRANGER, 'read', 'counted');
    writeKeys([...ENTRIES, reader]);
    const remove = () => service.fetch('/v1/tasks/missing', { method: 'DELETE', headers: { 'x-api-key': 'counted' } });
    const left = async () => Number((await remove()).headers.get('x-ratelimit-remaining'));
    await until('the key is valid', async () => (await remove()).status === 403, TIMEOUT_MS);
    const before = await left();
    expect(await left()).toBe(before - 1);
    expect(before).toBeGreaterThan(0);
    writeKeys(ENTRIES);
  });

  it('failed authentications are counted, and the log names a peer', async () => {
    await sendHttp('task.list', {}, { 'x-api-key': 'wrong' });
    const { text } = await service.fetch('/metrics');
    expect(text).toMatch(/^dossier_authentication_failures_total\{reason="wrong_key"\} [1-9]/m);
    expect(service.logLines.filter((line) => line.includes('authentication failed'))).not.toEqual([]);
  });

  it.each([
    ['POST', '/rpc'],
    ['GET', '/events'],
    ['DELETE', '/v1/tasks/t'],
  ])('%s %s without a key counts as one rejection', async (method, path) => {
    const rejected = async () => {
      const { text } = await service.fetch('/metrics');
      return Number(/^dossier_requests_rejected_total\{reason="unauthorized"\} (\d+)/m.exec(text)?.[1]);
    };
    const before = await rejected();
    const body = method === 'POST' ? JSON.stringify({ jsonrpc: '2.0', method: 'task.list', id: 1 }) : undefined;
    await service.fetch(path, { method, body, headers: { 'content-type': 'application/json' } });
    expect(await rejected()).toBe(before + 1);
  });

  it('the probes and the metrics need no key', async () => {
    for (const path of ['/livez', '/readyz', '/startupz', '/metrics']) {
      expect([path, (await service.fetch(path)).status]).toEqual([path, 200]);
    }
  });
});

describe('the key file', () => {
  const list = async (key: string) => errorOf(await sendHttp('task.list', {}, { 'x-api-key': key }));
  const accepts = (key: string) => until(`${key} is valid`, async () => (await list(key)) === undefined, TIMEOUT_MS);
  const refuses = (key: string) =>
    until(`${key} is not valid`, async () => (await list(key)) !== undefined, TIMEOUT_MS);

  afterEach(() => writeKeys(ENTRIES));

  it('adds and removes keys while the service runs', async () => {
    const before = entryOf(OWNER, 'read', 'before');
    const after = entryOf(OWNER, 'read', 'after');
    writeKeys([...ENTRIES, before]);
    await accepts('before');
    writeKeys([...ENTRIES, before, after]);
    await accepts('after');
    expect(await list('before')).toBeUndefined();
    writeKeys([...ENTRIES, after]);
    await refuses('before');
    expect(await list('after')).toBeUndefined();
  });

  it('ends the event streams of a key that it no longer has', async () => {
    writeKeys([...ENTRIES, entryOf(OWNER, 'read', 'removed')]);
    await accepts('removed');
    const [removed, kept] = [await follow({ 'x-api-key': 'removed' }), await follow(keyOf(OWNER, 'read'))];
    writeKeys(ENTRIES);
    await until('the stream has ended', () => removed.hasEnded, TIMEOUT_MS);
    expect(kept.hasEnded).toBe(false);
    kept.close();
  });

  it('leaves the previous keys valid if it becomes broken, and the log says so', async () => {
    writeFileSync(keysFile, '[{"sha256": "half a key');
    await until('the log says so', () => service.logLines.find((line) => line.includes('the keys read before stay')));
    expect(await list(keyOf(OWNER, 'read')['x-api-key'])).toBeUndefined();
  });

  it('accepts the entry that the command for new keys prints', async () => {
    const options = ['--name', 'made', '--organization', OWNER, '--role', 'read'];
    const { code, stdout } = await runProgram('dist/commands/dossier.js', ['keys', 'create', ...options], {});
    const [, key, entry] = /^key, shown only now: (\S+)\nentry: (.+)\n$/.exec(stdout) as unknown as [
      string,
      string,
      string,
    ];
    expect(code).toBe(0);
    writeKeys([...ENTRIES, JSON.parse(entry) as object]);
    await accepts(key);
  });

  it.each([
    ['missing', undefined, /^dossier: API_KEYS_FILE cannot be read \(ENOENT\)\n$/],
    ['broken', '[{"sha256": "half a key', /^dossier: API_KEYS_FILE is not JSON\n$/],
    ['wrong', '[{"key": "secret"}]', /^dossier: API_KEYS_FILE entry 1: must have no members but [^\n]*\n$/],
  ])('stops the start with one line if it is %s', async (_name, content, line) => {
    const path = join(folder, `${randomUUID()}.json`);
    if (content !== undefined) writeFileSync(path, content);
    const { code, stderr } = await runProgram('dist/main.js', [], {
      DATA_DIR: 'memory',
      API_KEYS_FILE: path,
      PORT: '0',
    });
    expect(code).toBeGreaterThan(0);
    expect(stderr).toMatch(line);
  });
});

describe('a service without configured authentication', () => {
  it('accepts every call, says so in the log, and listens on the loopback interface only', async () => {
    const open = await startService({ DATA_DIR: 'memory', INSTANCE_ID: 'replica-1' });
    try {
      expect(open.url).toMatch(/^http:\/\/127\.0\.0\.1:/);
      expect(open.logLines.filter((line) => line.includes('authentication is off'))).toHaveLength(1);
      const { id } = await open.result<{ id: string }>('task.create', { text: 'x' });
      expect(await open.result('task.get', { id })).toMatchObject({ organization: 'default', createdBy: 'replica-1' });
    } finally {
      await open.kill();
    }
  });
});
