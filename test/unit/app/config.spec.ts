import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { ConfigError, loadConfig } from '../../../src/app/config';

describe('configuration', () => {
  it('needs no variable: the defaults are embedded stores on the loopback interface', () => {
    expect(loadConfig({ INSTANCE_ID: 'instance-1' })).toEqual({
      host: '127.0.0.1',
      port: 3000,
      instanceId: 'instance-1',
      logLevel: 'info',
      maxBodyBytes: 8_388_608,
      maxReplyBytes: 16_777_216,
      maxAttachmentBytes: 1_048_576,
      cacheTtlMs: 3_600_000,
      store: { kind: 'embedded', dataDir: './data' },
      redis: undefined,
      nats: undefined,
      apiKeysFile: undefined,
      corsOrigins: [],
      maxConnectionsPerPeer: 1000,
      accessTokens: undefined,
      rateLimits: { perMinute: 0, perMethod: new Map() },
      trustedProxies: [],
      maxInFlight: 1000,
      maxEventLoopDelayMs: 1000,
    });
    expect(loadConfig({}).instanceId).not.toBe('');
  });

  it('reads the variables of the environment', () => {
    const env = {
      HOST: '0.0.0.0',
      AUTH: 'off',
      CORS_ORIGINS: 'https://app.example, http://localhost:5173',
      MAX_CONNECTIONS_PER_PEER: '20',
      NATS_INBOX_PREFIX: 'inbox.callers',
      PORT: '0',
      DATABASE_URL: 'postgres://u:p@db:5432/dossier',
      REDIS_URL: 'rediss://cache-1:6380,rediss://cache-2:6380',
      REDIS_CLUSTER: 'true',
      NATS_URL: 'nats://u:p@nats-1:4222,tls://nats-2:4222',
      NATS_CREDS: __filename,
      CACHE_TTL_SECONDS: '60',
      LOG_LEVEL: 'debug',
      LOG_FORMAT: 'pretty',
      RATE_LIMIT_PER_MINUTE: '600',
      RATE_LIMITS: 'task.create_attachment=50/60s, task.delete=0/2m,task.list=7/1h',
      TRUST_PROXY: '10.0.0.0/8, 192.0.2.7,2001:db8::/32,::1',
      MAX_IN_FLIGHT: '50',
      MAX_EVENT_LOOP_DELAY_MS: '200',
    };
    expect(loadConfig(env)).toMatchObject({
      host: '0.0.0.0',
      port: 0,
      store: { kind: 'postgres', url: env.DATABASE_URL },
      redis: { url: env.REDIS_URL, cluster: true },
      nats: { url: env.NATS_URL, credsFile: __filename, inboxPrefix: 'inbox.callers' },
      corsOrigins: ['https://app.example', 'http://localhost:5173'],
      maxConnectionsPerPeer: 20,
      cacheTtlMs: 60_000,
      logLevel: 'debug',
      logFormat: 'pretty',
      rateLimits: {
        perMinute: 600,
        perMethod: new Map([
          ['task.create_attachment', { limit: 50, windowMs: 60_000 }],
          ['task.delete', { limit: 0, windowMs: 120_000 }],
          ['task.list', { limit: 7, windowMs: 3_600_000 }],
        ]),
      },
      trustedProxies: ['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1'],
      maxInFlight: 50,
      maxEventLoopDelayMs: 200,
    });
    expect(loadConfig({ DATA_DIR: 'memory' }).store).toEqual({ kind: 'embedded', dataDir: undefined });
  });

  it('treats an empty variable as unset', () => {
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
    ['MAX_REPLY_BYTES', '1023'],
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
    ['JWT_JWKS_URL', 'keys.json'],
    ['JWT_PUBLIC_KEY', 'rubbish'],
    ['JWT_ISSUER', 'https://issuer.test'],
    ['JWT_AUDIENCE', 'dossier'],
    ['RATE_LIMIT_PER_MINUTE', '-1'],
    ['RATE_LIMIT_PER_MINUTE', 'none'],
    ['RATE_LIMITS', 'task.get=1/s'],
    ['RATE_LIMITS', 'task.get=1/0s'],
    ['RATE_LIMITS', 'task.get=1/60'],
    ['RATE_LIMITS', 'task.get=-1/60s'],
    ['RATE_LIMITS', 'task.get'],
    ['RATE_LIMITS', 'task.get=1/60s,'],
    ['TRUST_PROXY', 'true'],
    ['TRUST_PROXY', 'proxy.internal'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['TRUST_PROXY', '10.0.0.0/'],
    ['TRUST_PROXY', '10.0.0.0/8/8'],
    ['TRUST_PROXY', '::1/129'],
    ['TRUST_PROXY', '10.0.0.1,,10.0.0.2'],
    ['MAX_IN_FLIGHT', '0'],
    ['HOST', '0.0.0.0'],
    ['HOST', '::'],
    ['HOST', '192.0.2.1'],
    ['HOST', 'dossier.internal'],
    ['AUTH', 'on'],
    ['CORS_ORIGINS', '*'],
    ['CORS_ORIGINS', 'https://app.example/'],
    ['CORS_ORIGINS', 'app.example'],
    ['CORS_ORIGINS', 'null'],
    ['MAX_CONNECTIONS_PER_PEER', '0'],
    ['API_KEYS_FILE', ''],
    ['JWT_JWKS_URL', ''],
    ['JWT_PUBLIC_KEY', ' '],
    ['JWT_ISSUER', ''],
    ['JWT_AUDIENCE', ''],
    ['MAX_EVENT_LOOP_DELAY_MS', '0.5'],
  ])('refuses %s=%s in one line that names the variable', (name, value) => {
    const load = () => loadConfig({ [name]: value });
    expect(load).toThrow(ConfigError);
    expect(load).toThrow(new RegExp(`^${name} [^\\n]+$`));
  });

  it.each(['$JS.API', '$SRV', 'task', 'task.get', '_INBOX.*', 'a..b', 'a.', '>', 'a b'])(
    'refuses NATS_INBOX_PREFIX=%s',
    (NATS_INBOX_PREFIX) => {
      const load = () => loadConfig({ NATS_URL: 'nats://nats', NATS_INBOX_PREFIX });
      expect(load).toThrow(/^NATS_INBOX_PREFIX [^\n]+$/);
    },
  );

  it('an interface that is not loopback needs authentication, or AUTH=off', () => {
    for (const HOST of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) expect(loadConfig({ HOST }).host).toBe(HOST);
    const guarded = { HOST: '0.0.0.0', API_KEYS_FILE: 'keys.json' };
    expect(loadConfig(guarded)).toMatchObject({ host: '0.0.0.0', apiKeysFile: 'keys.json' });
    expect(loadConfig({ HOST: '0.0.0.0', AUTH: 'off' }).host).toBe('0.0.0.0');
    expect(() => loadConfig({ ...guarded, AUTH: 'off' })).toThrow(/^AUTH=off cannot be used together with/);
  });

  describe('of access tokens', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();

    it('accepts a public key, its line breaks escaped or not, or the address of a key set', () => {
      const rules = { JWT_ISSUER: 'https://issuer.test', JWT_AUDIENCE: 'dossier' };
      const expected = { issuer: rules.JWT_ISSUER, audience: rules.JWT_AUDIENCE };
      for (const JWT_PUBLIC_KEY of [pem, pem.replaceAll('\n', '\\n')]) {
        const { accessTokens } = loadConfig({ ...rules, JWT_PUBLIC_KEY });
        expect(accessTokens).toMatchObject(expected);
        expect(publicKey.equals((accessTokens?.keys as { publicKey: KeyObject }).publicKey)).toBe(true);
      }
      const jwksUrl = 'https://issuer.test/keys';
      expect(loadConfig({ JWT_JWKS_URL: jwksUrl }).accessTokens).toEqual({
        keys: { jwksUrl },
        issuer: undefined,
        audience: undefined,
      });
    });

    it('refuses a private key, and two sources of keys', () => {
      const secret = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      expect(() => loadConfig({ JWT_PUBLIC_KEY: secret })).toThrow(/^JWT_PUBLIC_KEY must not be a private key$/);
      const both = { JWT_PUBLIC_KEY: pem, JWT_JWKS_URL: 'https://issuer.test/keys' };
      expect(() => loadConfig(both)).toThrow(/^JWT_PUBLIC_KEY cannot be used together with JWT_JWKS_URL$/);
    });
  });

  it('does not repeat an address in an error, because it may contain a password', () => {
    expect(() => loadConfig({ DATABASE_URL: 'mysql://user:secret@db' })).toThrow(/^((?!secret).)*$/);
  });
});
