import { copyFileSync, writeFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import type { StoreError } from '../../src/core/ports/store-error';
import { putChange } from '../../src/core/ports/attachment-cache';
import { RedisAttachmentCache } from '../../src/outbound/redis/redis-attachment-cache';
import { RedisConnection, type RedisConnectionOptions } from '../../src/outbound/redis/redis-connection';
import { RedisKeys } from '../../src/outbound/redis/redis-keys';
import { Certificates } from '../support/certificates';
import { freePort } from '../support/free-port';
import { until } from '../support/poll';
import { startRedis, type RedisServer } from '../support/redis-server';
import { sampleAttachment } from '../support/sample-attachment';
import { withRedis } from '../support/setups';

const TIMEOUT_MS = 15_000;
/** In which the client tries to connect again. */
const SEVERAL_ATTEMPTS_MS = 500;
const SECRET = 'a/b#c%d@e:f';

describe('a login to Redis', () => {
  const certificates = new Certificates();
  let server: RedisServer;
  let tlsPort: number;
  let connection: RedisConnection | undefined;

  beforeAll(async () => {
    tlsPort = await freePort();
    const { certFile, keyFile } = certificates.issue('server');
    const tls = ['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', certificates.caFile];
    server = await startRedis({ args: ['--tls-port', String(tlsPort), '--tls-auth-clients', 'yes', ...tls] });
    await withRedis(server.url, async (admin) => {
      await admin.acl('SETUSER', 'u@x', 'on', `>${SECRET}`, '~*', '+@all');
    });
  });
  afterEach(() => connection?.close());
  afterAll(async () => {
    await server?.stop();
    certificates.remove();
  });

  const open = (options: Partial<RedisConnectionOptions>) => {
    const changes: string[] = [];
    const onChange = (state: 'up' | 'down', cause?: Error) => changes.push(`${state}: ${cause?.message ?? ''}`);
    connection = new RedisConnection({ url: `rediss://127.0.0.1:${tlsPort}`, isCluster: false, onChange, ...options });
    connection.connect();
    return { connection, changes };
  };
  const isRefused = async (options: Partial<RedisConnectionOptions>, why: RegExp) => {
    const { connection, changes } = open(options);
    await until('it is refused', () => changes.length > 0);
    await expect(connection.client.set('cb:x', 'x')).rejects.toThrow();
    await expect(connection.waitUntilReady(SEVERAL_ATTEMPTS_MS)).rejects.toMatchObject({ outcome: 'unavailable' });
    expect(changes).toEqual([expect.stringMatching(why)]);
    await until('the ping says why', () =>
      connection.ping(TIMEOUT_MS).then(
        () => false,
        ({ cause }: StoreError) => why.test(`down: ${(cause as Error).message}`),
      ),
    );
    await connection.close();
  };
  const whoAmI = async (options: Partial<RedisConnectionOptions>) => {
    const { connection } = open(options);
    await connection.waitUntilReady(TIMEOUT_MS);
    const name = await connection.client.acl('WHOAMI');
    await connection.close();
    return name;
  };

  it('is a user of the ACL, with any characters in name and password', async () => {
    const url = (password: string) => `redis://u%40x:${encodeURIComponent(password)}@127.0.0.1:${server.port}`;
    expect(await whoAmI({ url: url(SECRET) })).toBe('u@x');
    await isRefused({ url: url('wrong') }, /WRONGPASS/);
  });

  it('is to a database, and never to another one than that', async () => {
    const url = (user: string, database: number) => `redis://${user}127.0.0.1:${server.port}/${database}`;
    await withRedis(server.url, (admin) => admin.acl('SETUSER', 'stuck', 'on', '>p', '~*', '+@all', '-select'));
    const { connection } = open({ url: url('', 3) });
    await connection.waitUntilReady(TIMEOUT_MS);
    expect(await connection.client.client('INFO')).toContain(' db=3 ');
    await connection.close();
    await isRefused({ url: url('', 99) }, /^down: ERR DB index is out of range/);
    await isRefused({ url: url('stuck:p@', 3) }, /^down: NOPERM/);
  });

  it('is a user with the documented rights on a cluster, too', async () => {
    const node = await startRedis({ cluster: true });
    const denied = await withRedis(node.url, async (admin) => {
      await admin.acl('SETUSER', 'dossier', 'on', '>p', '~{*}cb:*', '+@all', '-@dangerous', '+info');
      const keys = new RedisKeys(true);
      const { connection } = open({ url: node.url.replace('//', '//dossier:p@'), isCluster: true, keys });
      await connection.waitUntilReady(TIMEOUT_MS);
      await connection.ping(TIMEOUT_MS);
      const cache = new RedisAttachmentCache(connection, keys, TIMEOUT_MS);
      await cache.apply(putChange(sampleAttachment({ taskId: 't-1', key: 'a' })));
      expect(await cache.cursors()).not.toEqual([]);
      expect(await connection.unfitness(TIMEOUT_MS)).toMatch(/^appendonly is off/);
      await connection.close();
      return admin.call('ACL', 'LOG');
    }).finally(() => node.stop());
    expect(denied).toEqual([]);
  });

  it('is a certificate of the client, besides a user', async () => {
    const caFile = certificates.caFile;
    const tlsFiles = { caFile, ...certificates.issue('client') };
    expect(await whoAmI({ tlsFiles })).toBe('default');
    const url = `rediss://u%40x:${encodeURIComponent(SECRET)}@127.0.0.1:${tlsPort}`;
    expect(await whoAmI({ url, tlsFiles })).toBe('u@x');
    await isRefused({ tlsFiles: { caFile } }, /certificate required|closed|ECONNRESET/);
    await isRefused(
      { tlsFiles: { certFile: tlsFiles.certFile, keyFile: tlsFiles.keyFile } },
      /self.signed certificate/,
    );
  });

  it('does not end the process if a second error follows the one that has ended a connection', async () => {
    const { connection, changes } = open({ tlsFiles: certificates.issue('client') });
    await until('it is refused', () => changes.length > 0);
    const { stream } = connection.client as Redis;
    expect(stream.destroyed).toBe(true);
    // As Node.js does, but rarely, when the server complains about a connection that the client has ended.
    stream.emit('error', new Error('tlsv1 alert decode error'));
    await connection.close();
  });

  it('takes renewed certificates for the next connection, and the old ones while the new ones do not fit', async () => {
    const stranger = new Certificates();
    const mine = certificates.issue('client');
    const [wrong, right] = [stranger.issue('client'), certificates.issue('client')];
    const renew = (from: string, to: string) => copyFileSync(from, to);
    renew(wrong.certFile, mine.certFile);
    renew(wrong.keyFile, mine.keyFile);
    const { connection, changes } = open({ tlsFiles: { caFile: certificates.caFile, ...mine } });
    const breakIt = () => withRedis(server.url, (admin) => admin.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes'));
    const untilUp = (times: number) =>
      until(`it is up for time ${times}`, () => changes.filter((change) => change.startsWith('up')).length === times);
    await until('it is refused', () => changes.length > 0);

    renew(right.certFile, mine.certFile);
    renew(right.keyFile, mine.keyFile);
    await untilUp(1);
    renew(wrong.keyFile, mine.keyFile);
    await breakIt();
    await untilUp(2);
    writeFileSync(mine.certFile, 'broken');
    await breakIt();
    await untilUp(3);
    await connection.ping(TIMEOUT_MS);
    stranger.remove();
  });
});
