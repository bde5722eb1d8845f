import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { SignJWT } from 'jose';
import { natsHeaders } from '../support/nats-headers';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { startRedis, type RedisServer } from '../support/redis-server';
import { startService, type Environment, type Service } from '../support/service';
import { untilServedOverNats } from '../support/until-served-over-nats';

/** Part of everything that a caller sends or an operator keeps secret; it must not appear in any log line. */
const CANARY = `canary${randomUUID().replaceAll('-', '')}`;
const API_KEY = `key-${CANARY}`;

const folder = mkdtempSync(join(tmpdir(), 'dossier-canary-'));
const keysFile = join(folder, 'keys.json');
const { publicKey, privateKey } = generateKeyPairSync('ed25519');

let postgres: PostgresServer;
let redis: RedisServer;
let nats: NatsServer;
let service: Service;

beforeAll(async () => {
  const sha256 = createHash('sha256').update(API_KEY).digest('hex');
  writeFileSync(
    keysFile,
    JSON.stringify([{ id: 'k', name: `name-${CANARY}`, organization: `org-${CANARY}`, role: 'admin', sha256 }]),
  );
  [postgres, redis, nats] = await Promise.all([startPostgres(), startRedis(), startNats()]);
  service = await startService({
    LOG_LEVEL: 'trace',
    DATABASE_URL: withPassword(await postgres.createDatabase()),
    REDIS_URL: redis.url,
    NATS_URL: nats.url,
    API_KEYS_FILE: keysFile,
    JWT_PUBLIC_KEY: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  });
});

afterAll(async () => {
  await service?.kill();
  await Promise.all([nats?.stop(), postgres?.stop(), redis?.stop()]);
  rmSync(folder, { recursive: true });
});

/** Adds a password that the server does not ask for. */
function withPassword(url: string): string {
  const address = new URL(url);
  address.password = `password-${CANARY}`;
  return address.href;
}

const member = { taskId: `task-${CANARY}`, key: `key-${CANARY}` };
const url = `https://example.test/${CANARY}`;

/**
 * Calls that succeed, that are refused and that make no sense. Each has the canary in every place that accepts text.
 */
const CALLS: readonly (readonly [string, object])[] = [
  [
    'task.create',
    { id: member.taskId, text: CANARY, metadata: { [CANARY]: CANARY, data: { [`d-${CANARY}`]: CANARY } } },
  ],
  ['task.create', { id: member.taskId, text: CANARY }],
  ['task.create_attachment', { ...member, type: 'json', value: { [CANARY]: CANARY } }],
  ['task.create_attachment', { ...member, type: 'text', content: CANARY, ifAbsent: true }],
  ['task.create_attachment', { ...member, key: `u-${CANARY}`, type: 'url', url }],
  ['task.create_attachment', { ...member, type: 'url', url: `ftp://${CANARY}` }],
  ['task.create_attachment', { ...member, type: CANARY, [CANARY]: CANARY }],
  ['task.create_attachment', { ...member, type: 'json', value: `\u0000${CANARY}\ud800` }],
  ['task.get_attachment', member],
  ['task.get_attachment', { ...member, key: `missing-${CANARY}` }],
  ['task.list_attachments', { taskId: member.taskId, keyPrefix: CANARY }],
  ['task.get_attachments_batch', { requests: [member, { ...member, key: CANARY }] }],
  ['task.get', { id: member.taskId }],
  ['task.update', { id: member.taskId, updates: { text: CANARY, metadata: { a: CANARY } } }],
  ['task.list', { assignedTo: CANARY }],
  ['task.usage', {}],
  ['task.delete_attachment', member],
  ['task.complete', { id: member.taskId, workerId: CANARY, result: CANARY, error: CANARY }],
  ['task.cancel', { id: member.taskId }],
  [`task.${CANARY}`, { [CANARY]: CANARY }],
];

async function callEverything(): Promise<void> {
  const credentials: readonly Environment[] = [
    { 'x-api-key': API_KEY },
    { 'x-api-key': `wrong-${CANARY}` },
    { authorization: `Bearer ${await token()}` },
    { authorization: `Bearer ${CANARY}.${CANARY}.${CANARY}` },
    { 'x-instance-id': `instance-${CANARY}` },
  ];
  for (const credential of credentials) {
    for (const [method, params] of CALLS) await service.rpc(method, params, credential);
    await service.post(`{"jsonrpc":"2.0","method":"${CANARY}`, credential);
    await service.fetch(`/events?taskId=${encodeURIComponent(`${CANARY}/`)}`, { headers: credential });
    await service.fetch(`/${CANARY}?${CANARY}`, { headers: { ...credential, cookie: CANARY } });
    await service.fetch(`/v1/tasks/missing-${CANARY}`, { method: 'DELETE', headers: credential });
  }
}

function token(): Promise<string> {
  const claims = { organization: `org-${CANARY}`, role: 'admin', name: CANARY };
  return new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA' }).setExpirationTime('1h').sign(privateKey);
}

async function callOverNats(): Promise<void> {
  await untilServedOverNats(nats.url);
  const client = await connect({ servers: nats.url });
  const headers = natsHeaders({ 'x-api-key': API_KEY });
  try {
    for (const [method, params] of CALLS.slice(0, -1)) {
      await client.request(method, JSON.stringify(params), { headers, timeout: 10_000 });
    }
    await client.request('task.get', `{${CANARY}`, { headers, timeout: 10_000 });
  } finally {
    await client.close();
  }
}

const logged = () => [...service.logLines, service.stderr];

it('the log contains no input of callers and no credential, even if calls are refused and stores fail', async () => {
  await callEverything();
  await callOverNats();
  expect(await service.result('task.get', { id: member.taskId }, { 'x-api-key': API_KEY })).toMatchObject({
    text: CANARY,
  });
  writeFileSync(keysFile, `[{ "sha256": "${CANARY}`);
  await until('the broken key file is noticed', () => logged().some((line) => line.includes('API_KEYS_FILE')));

  // From here on each store fails while calls are in progress.
  const underWay = callEverything();
  await redis.kill();
  await nats.kill();
  await underWay;
  await callEverything();
  await postgres.kill();
  await callEverything();
  await until('the outages are in the log', () =>
    ['redis', 'nats', 'task.get: postgres unavailable'].every((word) => logged().some((line) => line.includes(word))),
  );

  expect(await service.stop()).toBe(0);
  expect(logged().filter((line) => line.includes(CANARY))).toEqual([]);
});
