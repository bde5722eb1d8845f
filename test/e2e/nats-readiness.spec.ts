import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Svcm } from '@nats-io/services';
import { startFaultProxy } from '../support/fault-proxy';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { launchService, startService, type Environment, type RpcReply, type Service } from '../support/service';
import { withPostgres } from '../support/setups';

const TIMEOUT_MS = 10_000;
/** So many that a second replica in the queue group would get one of them. */
const MANY = 100;

let postgres: PostgresServer;
let nats: NatsServer;
let databaseUrl: string;
let client: NatsConnection;
let replicas: Service[];

beforeAll(async () => {
  [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
  client = await connect({ servers: nats.url });
  databaseUrl = await postgres.createDatabase();
});
afterAll(async () => {
  await client?.close();
  await Promise.all([postgres?.stop(), nats?.stop()]);
});
beforeEach(async () => {
  replicas = [];
  await start(startService, 'good');
  await untilServing('good');
});
afterEach(() => Promise.all(replicas.map((replica) => replica.kill())));

async function start(
  how: typeof startService,
  instanceId: string,
  url = databaseUrl,
  more: Environment = {},
): Promise<Service> {
  const service = await how({ DATABASE_URL: url, NATS_URL: nats.url, INSTANCE_ID: instanceId, ...more });
  replicas.push(service);
  return service;
}

const discovery = () => new Svcm(client).client({ strategy: 'timer', maxWait: 300 });

/** The replicas that service discovery finds. */
async function serving(): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const { metadata } of await discovery().ping('dossier')) found.push(metadata?.['instanceId'] as string);
  } catch (error) {
    if ((error as Error).name !== 'NoResponders') throw error;
  }
  return found.sort();
}
const untilServing = (...instanceIds: string[]) =>
  until(`${instanceIds.join()} are found`, async () => (await serving()).join() === instanceIds.join());

const ask = async () => (await client.request('task.list', '{}', { timeout: TIMEOUT_MS })).json<RpcReply>();
const askMany = () => Promise.all(Array.from({ length: MANY }, ask));

async function expectEachToSucceed(): Promise<void> {
  const replies = await askMany();
  expect(replies.filter(({ result }) => !result)).toEqual([]);
}

/** How many requests the replica has taken over NATS. */
async function takenBy(instanceId: string): Promise<number> {
  for await (const { metadata, endpoints = [] } of await discovery().stats('dossier')) {
    if (metadata?.['instanceId'] === instanceId) return endpoints.reduce((sum, one) => sum + one.num_requests, 0);
  }
  return 0;
}
const untilItTakesItsShare = (instanceId: string) =>
  until(`${instanceId} takes requests`, async () => {
    await expectEachToSucceed();
    return (await takenBy(instanceId)) > 0;
  });

it('a replica with a wrong password takes no requests over NATS, and takes its share when the password is right', async () => {
  const url = new URL(databaseUrl);
  [url.username, url.password] = ['dossier', 'changed'];
  await withPostgres(databaseUrl, async (superuser) => {
    await superuser.query("CREATE ROLE dossier LOGIN SUPERUSER PASSWORD 'secret'");
    const { rows } = await superuser.query<{ hba_file: string }>('SHOW hba_file');
    const lines = ["('host all dossier 127.0.0.1/32 scram-sha-256')", "('host all all 127.0.0.1/32 trust')"].join();
    await superuser.query(`COPY (VALUES ${lines}) TO '${rows[0]?.hba_file}'`);
    await superuser.query('SELECT pg_reload_conf()');
  });
  const mistaken = await start(launchService, 'mistaken', url.href);
  const warnings = () => mistaken.logLines.filter((line) => line.includes('cannot migrate yet'));
  await until('it says why', () => warnings().length > 0);
  expect(warnings()).toEqual([expect.stringContaining('password authentication failed for user')]);
  expect((await mistaken.fetch('/readyz')).status).toBe(503);
  await expectEachToSucceed();
  await untilServing('good');

  await withPostgres(databaseUrl, (superuser) => superuser.query("ALTER ROLE dossier PASSWORD 'changed'"));
  await mistaken.until('/readyz', 200);
  await untilServing('good', 'mistaken');
  await untilItTakesItsShare('mistaken');
});

it('a replica takes no requests over NATS while it is not ready, and takes its share again when it is', async () => {
  const toPostgres = await startFaultProxy(postgres.port);
  const url = new URL(databaseUrl);
  url.port = String(toPostgres.port);
  try {
    const cutOff = await start(startService, 'cut off', url.href);
    await untilServing('cut off', 'good');
    toPostgres.cut();
    await cutOff.until('/readyz', 503);
    await untilServing('good');
    await expectEachToSucceed();

    toPostgres.pass();
    await cutOff.until('/readyz', 200);
    await untilServing('cut off', 'good');
    await untilItTakesItsShare('cut off');
  } finally {
    await toPostgres.close();
  }
});

it('a replica takes no requests over NATS from the first moment of its shutdown, and fails none', async () => {
  const leaving = await start(startService, 'leaving', databaseUrl, { SHUTDOWN_DELAY_MS: '10000' });
  await untilServing('good', 'leaving');
  const replies: RpcReply[] = [];
  let isOver = false;
  const caller = async () => {
    while (!isOver) replies.push(await ask());
  };
  const callers = Promise.all(Array.from({ length: 16 }, caller));
  await until('they are at it', () => replies.length > MANY);
  leaving.signal('SIGTERM');
  await untilServing('good');
  // It still serves over HTTP, although it has no more part in the queue group.
  expect(await leaving.rpc('task.list')).toHaveProperty('result');
  const soFar = replies.length;
  await until('they go on', () => replies.length > soFar + MANY);
  expect((await leaving.exit).code).toBe(0);
  isOver = true;
  await callers;
  expect(replies.filter(({ result }) => !result)).toEqual([]);
});
