import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, nkeys, type NatsConnection } from '@nats-io/transport-node';
import { startNats, startNatsCluster, type NatsCluster, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { startService, type Environment, type Members, type Service } from '../support/service';

/** How soon requests must be answered again after an outage. */
const BACK_WITHIN_MS = 5000;
const SHUTDOWN_MS = 15_000;

let postgres: PostgresServer;
let databaseUrl: string;
/** What the test has started, from the first to the last. */
const started: { stop(): Promise<unknown> }[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  databaseUrl = await postgres.createDatabase();
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

/** Whether a request is answered; one that nobody serves, or that is lost with its server, is not. */
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

describe('one server', () => {
  it('is not waited for at the start, and served when it comes', async () => {
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

  it('is served again after every outage', async () => {
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

  it('may hang, and is served again when it goes on', async () => {
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

  it('may deny a subject, and is served when it allows it', async () => {
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
  ])('does not hold up the shutdown when it %s', async (_what, fail) => {
    const server = await nats();
    const one = await service({ NATS_URL: server.url });
    const client = await clientOf(server.url);
    await until('requests are answered', () => isAnswered(client), BACK_WITHIN_MS);
    await fail(server);
    const stopsAtMs = performance.now() + SHUTDOWN_MS;
    expect(await one.stop()).toBe(0);
    expect(performance.now()).toBeLessThan(stopsAtMs);
  });

  it('that was never there does not hold up the shutdown', async () => {
    const server = await nats();
    await server.kill();
    const one = await service({ NATS_URL: server.url });
    expect(await one.stop()).toBe(0);
    expect(one.stderr).toBe('');
  });
});

describe('shutdown of one of two replicas', () => {
  it('answers every request', async () => {
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

describe('a cluster of three', () => {
  let cluster: NatsCluster;

  beforeAll(async () => {
    cluster = await startNatsCluster(3);
  });
  afterAll(() => cluster?.stop());

  it('loses a node, any node, and requests go on', async () => {
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

  it('is found by the address of one node alone', async () => {
    const [first, second] = cluster.nodes as [NatsServer, NatsServer];
    await service({ NATS_URL: first.url });
    const client = await clientOf(second.url);
    await until('requests are answered', () => isAnswered(client), BACK_WITHIN_MS);
    await first.kill();
    await until('requests are answered', () => isAnswered(client), BACK_WITHIN_MS);
    await first.restart();
  });
});

describe('credentials', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'dossier-creds-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('of the URL are used', async () => {
    const server = await startNats({ args: ['--user', 'dossier', '--pass', 'p@ss/word'] });
    started.push(server);
    const url = server.url.replace('//', `//dossier:${encodeURIComponent('p@ss/word')}@`);
    const one = await service({ NATS_URL: url });
    await until('it is connected', async () => (await one.fetch('/readyz')).text.includes('"nats":{"status":"up"'));
    expect(one.logLines.join()).not.toMatch(/p@ss|p%40ss/);
  });

  it('of a file are used, and read again when they are renewed', async () => {
    const issuer = new Issuer();
    const config = join(folder, 'server.conf');
    writeFileSync(config, issuer.serverConfig());
    const server = await startNats({ jetStream: false, args: ['--config', config] });
    started.push(server);
    const credsFile = join(folder, 'user.creds');
    writeFileSync(credsFile, new Issuer().userCredentials());
    const one = await service({ NATS_URL: server.url, NATS_CREDS: credsFile });
    expect(await natsHealth(one)).toEqual({ status: 'degraded', state: 'down' });

    writeFileSync(credsFile, issuer.userCredentials());
    const isUp = async () => (await one.fetch('/readyz')).text.includes('"nats":{"status":"up"');
    await until('it is connected', isUp, BACK_WITHIN_MS);

    writeFileSync(credsFile, 'broken');
    await server.kill();
    await server.restart();
    await until('it is connected with what it had', isUp, BACK_WITHIN_MS);
    expect(one.logLines.join()).not.toMatch(/SU[A-Z0-9]{50}|eyJ/);
  });
});

/** An operator with one account: what `nsc` would make. */
class Issuer {
  private readonly operator = nkeys.createOperator();
  private readonly account = nkeys.createAccount();

  serverConfig(): string {
    const account = this.account.getPublicKey();
    const operatorJwt = token(this.operator, this.operator.getPublicKey(), { type: 'operator', version: 2 });
    const limits = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, conn: -1, leaf: -1, wildcards: true };
    const accountJwt = token(this.operator, account, { type: 'account', version: 2, limits });
    return `operator: ${operatorJwt}\nresolver: MEMORY\nresolver_preload: { ${account}: ${accountJwt} }\n`;
  }

  userCredentials(): string {
    const user = nkeys.createUser();
    const jwt = token(this.account, user.getPublicKey(), { type: 'user', version: 2, subs: -1, data: -1, payload: -1 });
    const seed = Buffer.from(user.getSeed()).toString();
    const block = (what: string, text: string) => `-----BEGIN ${what}-----\n${text}\n------END ${what}------\n`;
    return block('NATS USER JWT', jwt) + block('USER NKEY SEED', seed);
  }
}

function token(signer: ReturnType<typeof nkeys.createUser>, subject: string, claims: object): string {
  const encode = (part: object | Uint8Array) =>
    Buffer.from(part instanceof Uint8Array ? part : JSON.stringify(part)).toString('base64url');
  const issued = { jti: subject, iat: 1_700_000_000, iss: signer.getPublicKey(), sub: subject, name: 'test' };
  const text = `${encode({ typ: 'JWT', alg: 'ed25519-nkey' })}.${encode({ ...issued, nats: claims })}`;
  return `${text}.${encode(signer.sign(Buffer.from(text)))}`;
}
