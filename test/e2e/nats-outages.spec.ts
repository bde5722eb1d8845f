import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { startNats, startNatsCluster, type NatsCluster, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { createRuntimeDatabase } from '../support/runtime-database';
import { startService, type Environment, type Members, type Service } from '../support/service';

/** Requests must get replies again within this time after an outage. */
const BACK_WITHIN_MS = 5000;
const SHUTDOWN_MS = 15_000;

let postgres: PostgresServer;
let databaseUrl: string;
/** What the test has started, in this order. */
const started: { stop(): Promise<unknown> }[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  ({ url: databaseUrl } = await createRuntimeDatabase(postgres));
});
afterEach(async () => {
  for (const one of started.splice(0).reverse()) await one.stop();
});
afterAll(() => postgres?.stop());

async function nats(): Promise<NatsServer> {
  const server = await startNats();
  started.push(server);
  return server;
}

async function service(env: Environment): Promise<Service> {
  const one = await startService({ DATABASE_URL: databaseUrl, ...env });
  started.push(one);
  return one;
}

async function clientOf(url: string): Promise<NatsConnection> {
  const client = await connect({ servers: url.split(','), maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  started.push({ stop: () => client.close() });
  return client;
}

/** Whether a request gets a reply. If no replica serves it, or if it is lost with its server, it gets none. */
async function isAnswered(client: NatsConnection, timeoutMs = 1000): Promise<boolean> {
  try {
    const reply = await client.request('task.list', '{"limit":1}', { timeout: timeoutMs });
    return reply.json<Members>()['result'] !== undefined;
  } catch {
    return false;
  }
}

async function natsHealth(one: Service): Promise<unknown> {
  const { status, text } = await one.fetch('/readyz');
  expect(status).toBe(200);
  return (JSON.parse(text) as { details: { nats: unknown } }).details.nats;
}

describe('a replica with one NATS server', () => {
  it('starts without the server, and serves requests when it becomes available', async () => {
    const server = await nats();
    await server.kill();
    const one = await service({ NATS_URL: server.url });
    expect(await natsHealth(one)).toEqual({ status: 'degraded', state: 'down' });
    expect(await one.rpc('task.list')).toHaveProperty('result');

    await server.restart();
    const client = await clientOf(server.url);
    await until('requests are answered', () => isAnswered(client), BACK_WITHIN_MS);
    await until('readiness says so', async () => (await one.fetch('/readyz')).text.includes('"nats":{"status":"up"'));
    expect(await natsHealth(one)).toEqual({ status: 'up', state: 'up' });
  });

  it('serves requests again after every outage', async () => {
    const server = await nats();
    const one = await service({ NATS_URL: server.url });
    const client = await clientOf(server.url);
    await until('requests are answered', () => isAnswered(client), BACK_WITHIN_MS);
    for (let outage = 0; outage < 2; outage++) {
      await server.kill();
      await until('readiness says so', async () => (await one.fetch('/readyz')).text.includes('degraded'));
      expect(await one.rpc('task.list')).toHaveProperty('result');
      await server.restart();
      await until('requests are answered', () => isAnswered(client), BACK_WITHIN_MS);
    }
  });

  it('serves requests again after the server has hung', async () => {
    const server = await nats();
    const one = await service({ NATS_URL: server.url });
    const client = await clientOf(server.url);
    await until('requests are answered', () => isAnswered(client), BACK_WITHIN_MS);
    server.pause();
    await until('readiness says so', async () => (await one.fetch('/readyz')).text.includes('degraded'));
    await until('it is given up', () => one.logLines.some((line) => line.includes('not connected')));
    server.resume();
    await until('requests are answered', () => isAnswered(client), BACK_WITHIN_MS);
  });

  it('serves requests once the server allows a subject that it denied before', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dossier-nats-config-'));
    started.push({ stop: () => rm(folder, { recursive: true }) });
    const config = join(folder, 'server.conf');
    const writeConfig = (permissions: string) =>
      writeFileSync(config, `authorization: { users: [ { user: u, password: p, permissions: { ${permissions} } } ] }`);
    writeConfig('subscribe: { deny: ["task.get", "$SRV.>"] }');
    const server = await startNats({ args: ['--config', config] });
    started.push(server);
    const url = server.url.replace('//', '//u:p@');
    const one = await service({ NATS_URL: url });
    await until('it says so', () => one.logLines.some((line) => line.includes('no requests over NATS for now')));

    writeConfig('subscribe: ">"');
    await server.kill();
    await server.restart();
    const client = await connect({ servers: server.url, user: 'u', pass: 'p' });
    started.push({ stop: () => client.close() });
    await until('requests are answered', () => isAnswered(client), BACK_WITHIN_MS);
  });

  it.each<[string, (server: NatsServer) => Promise<unknown> | void]>([
    ['is gone', (server) => server.kill()],
    ['hangs', (server) => server.pause()],
  ])('stops in time if the server %s', async (_what, fail) => {
    const server = await nats();
    const one = await service({ NATS_URL: server.url });
    const client = await clientOf(server.url);
    await until('requests are answered', () => isAnswered(client), BACK_WITHIN_MS);
    await fail(server);
    const stopsAtMs = performance.now() + SHUTDOWN_MS;
    expect(await one.stop()).toBe(0);
    expect(performance.now()).toBeLessThan(stopsAtMs);
  });

  it('stops if the server was never available', async () => {
    const server = await nats();
    await server.kill();
    const one = await service({ NATS_URL: server.url });
    expect(await one.stop()).toBe(0);
    expect(one.stderr).toBe('');
  });
});

describe('shutdown of one of two replicas', () => {
  it('leaves no request without a reply, and fails none', async () => {
    const server = await nats();
    const first = await service({ NATS_URL: server.url, INSTANCE_ID: 'first' });
    const client = await clientOf(server.url);
    await until('requests are answered', () => isAnswered(client), BACK_WITHIN_MS);
    await client.request('task.create', '{"id":"draining","text":"x"}', { timeout: 5000 });
    await service({ NATS_URL: server.url, INSTANCE_ID: 'second' });

    const errorCodes: unknown[] = [];
    let isOver = false;
    const caller = async (name: number) => {
      for (let i = 0; !isOver; i++) {
        const params = { taskId: 'draining', key: `${name}-${i % 10}`, type: 'text', content: 'x' };
        const reply = await client.request('task.create_attachment', JSON.stringify(params), { timeout: 10_000 });
        errorCodes.push(reply.headers?.get('Nats-Service-Error-Code'));
      }
    };
    const callers = Promise.all(Array.from({ length: 16 }, (_, name) => caller(name)));
    await until('they are at it', () => errorCodes.length > 200);
    const exitCode = await first.stop();
    const soFar = errorCodes.length;
    await until('they go on', () => errorCodes.length > soFar + 200);
    isOver = true;
    await callers;
    expect(exitCode).toBe(0);
    expect(new Set(errorCodes)).toEqual(new Set([undefined]));
  });
});

describe('a NATS cluster of three nodes', () => {
  let cluster: NatsCluster;

  beforeAll(async () => {
    cluster = await startNatsCluster(3);
  });
  afterAll(() => cluster?.stop());

  it('serves requests while any one of its nodes is down', async () => {
    const replicas = [
      await service({ NATS_URL: cluster.url, INSTANCE_ID: 'first' }),
      await service({ NATS_URL: cluster.url, INSTANCE_ID: 'second' }),
    ];
    const client = await clientOf(cluster.url);
    for (const node of cluster.nodes) {
      await until('requests are answered', () => isAnswered(client), BACK_WITHIN_MS);
      await node.kill();
      await until('requests are answered', () => isAnswered(client), BACK_WITHIN_MS);
      for (const replica of replicas) {
        const isUp = async () => (await replica.fetch('/readyz')).text.includes('"nats":{"status":"up"');
        await until('the replica is connected', isUp, BACK_WITHIN_MS);
      }
      expect(await Promise.all(Array.from({ length: 50 }, () => isAnswered(client)))).not.toContain(false);
      await node.restart();
    }
  });

  it('is found through the address of one node', async () => {
    const [first, second] = cluster.nodes as [NatsServer, NatsServer];
    await service({ NATS_URL: first.url });
    const client = await clientOf(second.url);
    await until('requests are answered', () => isAnswered(client), BACK_WITHIN_MS);
    await first.kill();
    await until('requests are answered', () => isAnswered(client), BACK_WITHIN_MS);
    await first.restart();
  });
});
