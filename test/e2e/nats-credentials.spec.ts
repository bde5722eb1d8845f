import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { NatsIssuer, type User } from '../support/nats-issuer';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { runProgram, startService, type Environment, type RpcReply, type Service } from '../support/service';

const STREAM = 'TASK_EVENTS';
const TIMEOUT_MS = 10_000;
const SECRETS = /SU[A-Z2-7]{50}|eyJ/;

const folder = mkdtempSync(join(tmpdir(), 'dossier-creds-'));
/** What the test has started, in this order. */
const started: { stop(): Promise<unknown> }[] = [];

afterEach(async () => {
  for (const one of started.splice(0).reverse()) await one.stop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

async function serverOf(issuer: NatsIssuer): Promise<NatsServer> {
  const server = await startNats({ args: ['--config', file('server.conf', issuer.serverConfig())] });
  started.push(server);
  return server;
}

async function serviceAt(natsUrl: string, login: Environment = {}): Promise<Service> {
  const one = await startService({ DATA_DIR: 'memory', NATS_URL: natsUrl, ...login });
  started.push(one);
  return one;
}

async function clientOf(server: NatsServer, { credentials }: User): Promise<NatsConnection> {
  const authenticator = credsAuthenticator(new TextEncoder().encode(credentials));
  const client = await connect({ servers: server.url, authenticator });
  started.push({ stop: () => client.close() });
  return client;
}

async function natsHealth(one: Service): Promise<unknown> {
  const { status, text } = await one.fetch('/readyz');
  expect(status).toBe(200);
  return (JSON.parse(text) as { details: { nats: unknown } }).details.nats;
}

async function storedEvents(client: NatsConnection): Promise<number> {
  const { state } = await (await jetstreamManager(client)).streams.info(STREAM);
  return state.messages;
}

const isUp = async (one: Service) => (await one.fetch('/readyz')).text.includes('"nats":{"status":"up"');
const says = (one: Service, words: RegExp) => one.logLines.some((line) => words.test(line));

describe('credentials for NATS', () => {
  it('in the URL are used', async () => {
    const server = await startNats({ args: ['--user', 'dossier', '--pass', 'p@ss/word'] });
    started.push(server);
    const one = await serviceAt(server.url.replace('//', `//dossier:${encodeURIComponent('p@ss/word')}@`));
    await until('it is connected', () => isUp(one));
    expect(one.logLines.join()).not.toMatch(/p@ss|p%40ss/);
  });

  it('in a file serve a request and publish its event, on a server with an operator and accounts', async () => {
    const issuer = new NatsIssuer();
    const server = await serverOf(issuer);
    const one = await serviceAt(server.url, { NATS_CREDS: file('user.creds', issuer.createUser().credentials) });
    const client = await clientOf(server, issuer.createUser());
    const request = async () => {
      const reply = await client.request('task.create', '{"id":"t-1","text":"x"}', { timeout: TIMEOUT_MS });
      return reply.json<RpcReply>();
    };
    const reply = await until('a request is answered', () => request().catch(() => undefined));
    expect(reply.result).toMatchObject({ id: 't-1' });
    await until('the event is stored', async () => (await storedEvents(client).catch(() => 0)) === 1);
    await until('it is connected', () => isUp(one));
    expect(await natsHealth(one)).toEqual({ status: 'up', state: 'up' });
    expect(one.logLines.join()).not.toMatch(SECRETS);
  });

  it('in a file that an unknown account has signed are refused, and read again when they are renewed', async () => {
    const issuer = new NatsIssuer();
    const server = await serverOf(issuer);
    const credsFile = file('user.creds', new NatsIssuer().createUser().credentials);
    const one = await serviceAt(server.url, { NATS_CREDS: credsFile });
    await until('the log says why', () => says(one, /nats.*authorization violation/i));
    expect(await natsHealth(one)).toEqual({ status: 'degraded', state: 'down' });
    expect(await one.rpc('task.list')).toHaveProperty('result');

    file('user.creds', issuer.createUser().credentials);
    await until('it is connected', () => isUp(one));

    file('user.creds', 'broken');
    await server.kill();
    await server.restart();
    await until('it is connected with what it had', () => isUp(one));
    expect(one.logLines.join()).not.toMatch(SECRETS);
  });

  it('of a user that is revoked are refused, until the file has those of another user', async () => {
    const issuer = new NatsIssuer();
    const server = await serverOf(issuer);
    const user = issuer.createUser();
    const one = await serviceAt(server.url, { NATS_CREDS: file('user.creds', user.credentials) });
    await until('it is connected', () => isUp(one));

    await server.kill();
    file('server.conf', issuer.serverConfig([user]));
    await server.restart();
    await until('the log says why', () => says(one, /nats.*authorization violation/i));
    await until('it is known to be down', async () => !(await isUp(one)));
    expect(await natsHealth(one)).toEqual({ status: 'degraded', state: 'down' });

    file('user.creds', issuer.createUser().credentials);
    await until('it is connected again', () => isUp(one));
  });

  it('that expire are replaced without a restart by those that the file has by then', async () => {
    const issuer = new NatsIssuer();
    const server = await serverOf(issuer);
    const one = await serviceAt(server.url, {
      NATS_CREDS: file('user.creds', new NatsIssuer().createUser().credentials),
    });
    file('user.creds', issuer.createUser(8).credentials);
    await until('it is connected', () => says(one, /nats.*"connected"/));
    await until('the log says why it no longer is', () => says(one, /nats.*expired/i));
    file('user.creds', issuer.createUser().credentials);
    await until('it is connected again', () => isUp(one));
  });

  const { credentials } = new NatsIssuer().createUser();
  it.each([
    ['has no token', credentials.replace(/[^]*(?=-----BEGIN USER NKEY)/, '')],
    ['has no seed', credentials.replace(/-----BEGIN USER NKEY[^]*/, '')],
    [
      'has a seed with a wrong letter',
      credentials.replace(/(?<=SEED-----\nSU.{20})./, (letter) => (letter === 'A' ? 'B' : 'A')),
    ],
    ['holds something else', 'user: dossier\npassword: SECRET\n'],
    ['is empty', ''],
  ])('in a file that %s end the start with one line that names the setting alone', async (_, text) => {
    const credsFile = file('malformed.creds', text);
    const env = { DATA_DIR: 'memory', PORT: '0', NATS_URL: 'nats://127.0.0.1:1', NATS_CREDS: credsFile };
    const { code, stdout, stderr } = await runProgram('dist/main.js', [], env);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toBe(`dossier: NATS_CREDS must be a file that holds credentials, is ${JSON.stringify(credsFile)}\n`);
  });
});
