import { ConfigError, loadConfig } from '../../src/config';

describe('configuration', () => {
  it('needs nothing: embedded stores on the loopback interface', () => {
    expect(loadConfig({ INSTANCE_ID: 'instance-1' })).toEqual({
      host: '127.0.0.1',
      port: 3000,
      instanceId: 'instance-1',
      logLevel: 'info',
      maxBodyBytes: 2_097_152,
      maxAttachmentBytes: 1_048_576,
      cacheTtlMs: 3_600_000,
      store: { kind: 'embedded', dataDir: './data' },
      redis: undefined,
      nats: undefined,
    });
    expect(loadConfig({}).instanceId).not.toBe('');
  });

  it('takes what the environment says', () => {
    const env = {
      HOST: '0.0.0.0',
      PORT: '0',
      DATABASE_URL: 'postgres://u:p@db:5432/dossier',
      REDIS_URL: 'rediss://cache:6380',
      REDIS_CLUSTER: 'true',
      NATS_URL: 'nats://u:p@nats-1:4222,tls://nats-2:4222',
      NATS_CREDS: __filename,
      CACHE_TTL_SECONDS: '60',
      LOG_LEVEL: 'debug',
    };
    expect(loadConfig(env)).toMatchObject({
      host: '0.0.0.0',
      port: 0,
      store: { kind: 'postgres', url: env.DATABASE_URL },
      redis: { url: env.REDIS_URL, cluster: true },
      nats: { url: env.NATS_URL, credsFile: __filename },
      cacheTtlMs: 60_000,
      logLevel: 'debug',
    });
    expect(loadConfig({ DATA_DIR: 'memory' }).store).toEqual({ kind: 'embedded', dataDir: undefined });
  });

  it('takes an empty variable for an unset one', () => {
    expect(loadConfig({ PORT: '', DATABASE_URL: '', REDIS_URL: '', INSTANCE_ID: '' })).toEqual(loadConfig({}));
  });

  it.each([
    ['PORT', 'http'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '3e3'],
    ['INSTANCE_ID', 'a\nb'],
    ['INSTANCE_ID', 'x'.repeat(129)],
    ['LOG_LEVEL', 'loud'],
    ['MAX_BODY_BYTES', '2MiB'],
    ['MAX_ATTACHMENT_BYTES', '0'],
    ['CACHE_TTL_SECONDS', '0.5'],
    ['DATABASE_URL', 'mysql://db'],
    ['DATABASE_URL', 'db'],
    ['REDIS_URL', 'http://cache'],
    ['REDIS_CLUSTER', 'yes'],
    ['REDIS_CLUSTER', 'true'],
    ['NATS_URL', 'http://nats'],
    ['NATS_URL', 'nats://nats-1,nats-2'],
    ['NATS_CREDS', '/missing/user.creds'],
    ['NATS_CREDS', __filename],
    ['API_KEYS_FILE', 'keys.json'],
    ['RATE_LIMITS', 'task.get=1/s'],
  ])('refuses %s=%s in one line that names the variable', (name, value) => {
    const load = () => loadConfig({ [name]: value });
    expect(load).toThrow(ConfigError);
    expect(load).toThrow(new RegExp(`^${name} [^\\n]+$`));
  });

  it('does not repeat an address, which may carry a password', () => {
    expect(() => loadConfig({ DATABASE_URL: 'mysql://user:secret@db' })).toThrow(/^((?!secret).)*$/);
  });
});
