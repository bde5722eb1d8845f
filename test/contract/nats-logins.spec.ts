import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { NatsConnection, type NatsConnectionOptions } from '../../src/outbound/nats/nats-connection';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';

const PING_TIMEOUT_MS = 5000;
const SECRET = 'a/b#c%d@e:f';

describe('a login to NATS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dossier-logins-'));
  let server: NatsServer;
  let connection: NatsConnection;

  afterEach(async () => {
    await connection.close();
    await server.stop();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const start = async (authorization: string) => {
    const config = file('server.conf', `authorization { ${authorization} }`);
    server = await startNats({ jetStream: false, args: ['--config', config] });
  };
  const open = (login: Partial<NatsConnectionOptions>, inUrl = '') => {
    const changes: string[] = [];
    const url = server.url.replace('//', `//${inUrl}`);
    const onChange = (state: 'up' | 'down', cause?: Error) =>
      changes.push(cause ? `${state}: ${cause.message}` : state);
    connection = new NatsConnection({ url, clientName: 'login', onChange, ...login });
    connection.connect();
    return changes;
  };
  const works = async (login: Partial<NatsConnectionOptions>, inUrl?: string) => {
    open(login, inUrl);
    await connection.client;
    await connection.ping(PING_TIMEOUT_MS);
    await connection.close();
  };
  const isRefused = async (login: Partial<NatsConnectionOptions>, inUrl?: string) => {
    const changes = open(login, inUrl);
    await until('it is refused', () => changes.length > 0);
    expect(changes).toEqual([expect.stringMatching(/^down: .*authorization violation/i)]);
    await connection.close();
  };

  it('is a token, in the URL or beside it', async () => {
    await start(`token: "${SECRET}"`);
    await works({ token: SECRET });
    await works({}, `${encodeURIComponent(SECRET)}@`);
    await isRefused({ token: 'wrong' });
    await isRefused({});
  });

  it('is a user with a password, in the URL or beside it', async () => {
    await start(`user: "u@x", password: "${SECRET}"`);
    await works({ user: 'u@x', password: SECRET });
    await works({}, `u%40x:${encodeURIComponent(SECRET)}@`);
    await isRefused({ user: 'u@x', password: 'wrong' });
    await isRefused({}, 'wrong@');
  });

  it('is an nkey in a file, as tools write it, which is read for each connection', async () => {
    const user = nkeys.createUser();
    const seed = Buffer.from(user.getSeed()).toString();
    await start(`users: [ { nkey: ${user.getPublicKey()} } ]`);
    const block = `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;
    for (const text of [seed, `${seed}\n${user.getPublicKey()}\n`, block]) {
      await works({ nkeyFile: file('user.nk', text) });
    }
    const nkeyFile = file('user.nk', Buffer.from(nkeys.createUser().getSeed()).toString());
    await isRefused({ nkeyFile });

    const changes = open({ nkeyFile });
    await until('it is refused', () => changes.length > 0);
    file('user.nk', seed);
    await connection.client;
    file('user.nk', 'broken');
    await server.kill();
    await server.restart();
    await until(
      'it is connected again with what it had',
      () => changes.filter((change) => change === 'up').length === 2,
    );
  });
});
