import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../../src/app/config';
import { ConfigError, Environment } from '../../../src/app/environment';

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
      finishedRetentionMs: 0,
      store: { kind: 'embedded', dataDir: './data' },
      redis: undefined,
      nats: undefined,
      apiKeysFile: undefined,
      quotasFile: undefined,
      corsOrigins: [],
      docs: true,
      mcp: { allowsTaskDeletion: false },
      maxConnectionsPerPeer: 1000,
      accessTokens: undefined,
      rateLimits: { perMinute: 0, perMethod: new Map() },
      trustedProxies: [],
      maxInFlight: 1000,
      maxEventLoopDelayMs: 1000,
      postgresPoolSize: 16,
      migrates: true,
      shutdownDelayMs: 0,
      warnings: [],
    });
    expect(loadConfig({}).instanceId).not.toBe('');
  });

  it('asks for the variables that docs/configuration.md describes, and for no others', () => {
    const text = jest.spyOn(Environment.prototype, 'text');
    loadConfig({});
    loadConfig({ DATABASE_URL: 'postgres://db/tasks', REDIS_URL: 'redis://redis', NATS_URL: 'nats://nats' });
    const asked = new Set(text.mock.calls.map(([name]) => name));
    text.mockRestore();
    const page = readFileSync(join(__dirname, '../../../docs/configuration.md'), 'utf8');
    const cells = [...page.matchAll(/^\| (`[A-Z].*?) \|/gm)].map(([, cell]) => cell ?? '');
    const described = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name));
    // docs/operations.md has the others of OpenTelemetry.
    const isOther = (name: string) => name.startsWith('OTEL_') && name !== 'OTEL_EXPORTER_OTLP_ENDPOINT';
    expect([...asked].filter((name) => !isOther(name)).sort()).toEqual(described.sort());
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
      NATS_URL: 'nats://nats-1:4222,tls://nats-2:4222',
      NATS_CREDS: __filename,
      CACHE_TTL_SECONDS: '60',
      RETENTION_FINISHED_DAYS: '30',
      LOG_LEVEL: 'debug',
      LOG_FORMAT: 'pretty',
      RATE_LIMIT_PER_MINUTE: '600',
      RATE_LIMITS: 'task.create_attachment=50/60s, task.delete=0/2m,task.list=7/1h',
      TRUST_PROXY: '10.0.0.0/8, 192.0.2.7,2001:db8::/32,::1',
      MAX_IN_FLIGHT: '50',
      POSTGRES_POOL_SIZE: '3',
      SHUTDOWN_DELAY_MS: '5000',
      MIGRATE: 'off',
      MCP_ALLOW_TASK_DELETE: 'on',
      REDIS_PREFIX: 'staging:',
      NATS_PREFIX: 'staging',
      MAX_EVENT_LOOP_DELAY_MS: '200',
    };
    expect(loadConfig(env)).toMatchObject({
      host: '0.0.0.0',
      port: 0,
      store: { kind: 'postgres', url: env.DATABASE_URL },
      redis: { url: env.REDIS_URL, cluster: true, prefix: 'staging:' },
      nats: { url: env.NATS_URL, credsFile: __filename, inboxPrefix: 'inbox.callers', prefix: 'staging' },
      corsOrigins: ['https://app.example', 'http://localhost:5173'],
      maxConnectionsPerPeer: 20,
      cacheTtlMs: 60_000,
      finishedRetentionMs: 30 * 86_400_000,
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
      postgresPoolSize: 3,
      migrates: false,
      mcp: { allowsTaskDeletion: true },
      shutdownDelayMs: 5000,
      maxEventLoopDelayMs: 200,
    });
    expect(loadConfig({ MCP: 'off', MCP_ALLOW_TASK_DELETE: 'on' }).mcp).toBeUndefined();
    expect(loadConfig({ DATABASE_URL: 'memory', DATA_DIR: '/x' }).store).toEqual({
      kind: 'embedded',
      dataDir: undefined,
    });
    expect(loadConfig({ DATABASE_URL: 'embedded', DATA_DIR: '/x' }).store).toEqual({ kind: 'embedded', dataDir: '/x' });
    expect(loadConfig({ DATA_DIR: 'memory' }).store).toEqual({ kind: 'embedded', dataDir: undefined });
  });

  it('treats an empty variable as unset', () => {
    expect(loadConfig({ PORT: '', DATABASE_URL: '', REDIS_URL: '', INSTANCE_ID: '' })).toEqual(loadConfig({}));
  });

  it('takes values without the blanks around them', () => {
    const blank = {
      PORT: ' 4000 ',
      DATABASE_URL: '\tpostgres://db/x\n',
      NATS_URL: ' nats://a , nats://b ',
      LOG_LEVEL: ' ',
    };
    expect(loadConfig(blank)).toMatchObject({
      port: 4000,
      logLevel: 'info',
      store: { url: 'postgres://db/x' },
      nats: { url: 'nats://a,nats://b' },
    });
  });

  it('refuses in production to choose the embedded database by itself', () => {
    const NODE_ENV = 'production';
    expect(() => loadConfig({ NODE_ENV, DATABASE_URI: 'postgres://db/x' })).toThrow(
      /^DATABASE_URL must be set in production: DATABASE_URL=embedded [^\n]+$/,
    );
    for (const DATABASE_URL of ['embedded', 'memory', 'postgres://db/x']) {
      expect(() => loadConfig({ NODE_ENV, DATABASE_URL })).not.toThrow();
    }
  });

  it.each([
    ['HTTP_PORT', 'PORT'],
    ['MIGRATIONS', 'MIGRATE'],
    ['SHUTDOWN_DELAY', 'SHUTDOWN_DELAY_MS'],
    ['DATABASE_URI', 'DATABASE_URL'],
    ['POSTGRES_URL', 'DATABASE_URL'],
    ['DATABSE_URL', 'DATABASE_URL'],
    ['REDIS_ULR', 'REDIS_URL'],
    ['NATS_SERVERS', 'NATS_URL'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['port', 'PORT'],
    ['API_KEY_FILE', 'API_KEYS_FILE'],
    ['RETENTION_DAYS', 'RETENTION_FINISHED_DAYS'],
  ])('warns that %s means nothing, and names %s', (name, meant) => {
    const { warnings } = loadConfig({ [name]: 'secret' });
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`\\b${name}\\b.*\\b${meant}\\?$`))]);
    expect(warnings[0]).not.toContain('secret');
  });

  it('does not take a variable of the system or of another program for a misspelt one', () => {
    const names =
      'HOME PATH HOSTNAME LOGNAME USER PWD TERM LANG NODE_OPTIONS PGHOST PGPASSWORD POSTGRES_PASSWORD'.split(' ');
    const others =
      'REDIS_PORT NATS_PORT_4222_TCP REDIS_SERVICE_HOST npm_config_cache PORTAL LOG_FILE XDG_DATA_DIRS'.split(' ');
    const env = Object.fromEntries([...names, ...others].map((name) => [name, 'x']));
    expect(loadConfig(env).warnings).toEqual([]);
    expect(loadConfig({ DATABSE_URL: '' }).warnings).toEqual([]);
  });

  it.each([
    ['DATABASE_URL', 'postgres://u:s%40cret@db:5433/orders', 'PostgreSQL at db:5433, database orders, user u, TLS off'],
    ['DATABASE_URL', 'postgresql://u@[::1]/x?sslmode=no-verify', 'PostgreSQL at ::1:5432, database x, user u, TLS on'],
    [
      'DATABASE_URL',
      'postgres:///x?host=/run/pg&user=u',
      'PostgreSQL at the socket in /run/pg, database x, user u, TLS off',
    ],
    ['REDIS_URL', 'redis://:s%25cret@cache/3', 'Redis at cache:6379, database 3, user default, TLS off'],
    ['REDIS_URL', 'rediss://me:secret@cache:6380', 'Redis at cache:6380, database 0, user me, TLS on'],
    ['NATS_URL', 'nats://u:secret@a,nats://b:4223', 'NATS at a:4222, b:4223, user u, TLS if the server asks for it'],
    ['NATS_URL', 'tls://secret@a', 'NATS at a:4222, a token, TLS on'],
    ['NATS_URL', 'nats://a:1,nats://u:se%2Fcret@b', 'NATS at a:1, b:4222, user u, TLS if the server asks for it'],
    ['NATS_URL', 'nats://a', 'NATS at a:4222, no user, TLS if the server asks for it'],
  ])('says what the clients understand, without the secret: %s=%s', (name, value, description) => {
    const { store, redis, nats } = loadConfig({ [name]: value });
    expect([store, redis, nats]).toContainEqual(expect.objectContaining({ description }));
  });

  it('says of a pooler also what is past it', () => {
    const env = { DATABASE_URL: 'postgres://u:secret@pool:6432/x', DATABASE_DIRECT_URL: 'postgres://o:secret@db/x' };
    expect(loadConfig(env).store).toEqual({
      kind: 'postgres',
      url: env.DATABASE_URL,
      directUrl: env.DATABASE_DIRECT_URL,
      description:
        'PostgreSQL at pool:6432, database x, user u, TLS off; ' +
        'past the pooler: PostgreSQL at db:5432, database x, user o, TLS off',
    });
    for (const DATABASE_URL of ['', 'embedded', 'memory']) {
      expect(() => loadConfig({ ...env, DATABASE_URL })).toThrow(
        /^DATABASE_DIRECT_URL needs a DATABASE_URL of PostgreSQL$/,
      );
    }
  });

  it('warns of parameters of a URL that mean nothing', () => {
    const DATABASE_URL = 'postgres://db/x?pgbouncer=true&sslmode=disable&schema=secret&options=-c%20jit=off';
    expect(loadConfig({ DATABASE_URL }).warnings).toEqual([
      'DATABASE_URL has parameters without a meaning here: pgbouncer, schema',
    ]);
  });

  it('says it of a cluster, too', () => {
    const REDIS_URL = 'rediss://me:secret@a:1, rediss://b:2';
    const { redis } = loadConfig({ REDIS_CLUSTER: 'true', REDIS_URL });
    expect(redis?.description).toBe('Redis Cluster at a:1, b:2, user me, TLS on');
  });

  it.each([
    ['DATABASE_URL', 'postgres:///x'],
    ['DATABASE_URL', 'postgres://u:secret@a,b/x'],
    ['DATABASE_URL', 'postgres://u:secret@db/or ders'],
    ['DATABASE_URL', 'postgres://u:se%cret@db/x'],
    ['DATABASE_URL', 'postgres://u:se%41%zzcret@db/x'],
    ['DATABASE_URL', 'postgres://u:1#secret@db/x'],
    ['DATABASE_URL', 'postgres://u:1/secret@db/x'],
    ['DATABASE_URL', 'postgres://u:secret@db/x?sslmode=verify-full&sslrootcert=/missing/ca.pem'],
    ['DATABASE_URL', 'postgres://u:secret@db/x?options=-B%20secret'],
    ['DATABASE_DIRECT_URL', 'postgres://u:se%cret@db/x'],
    ['REDIS_URL', 'redis:///1'],
    ['REDIS_URL', 'redis://:secret@cache/one'],
    ['REDIS_URL', 'redis://:secret%@cache'],
    ['REDIS_URL', 'redis-sentinel://:secret@cache'],
    ['REDIS_URL', 'redis+sentinel://:secret@cache/mymaster'],
    ['REDIS_URL', 'redis://cache?password=secret'],
    ['NATS_URL', 'nats://u:secret@a,nats://u:other@b'],
    ['NATS_URL', 'nats://u:secret@a/subject'],
    ['NATS_URL', 'nats://u:sec%ret@a'],
  ])('refuses %s=%s without repeating it', (name, value) => {
    const load = () => loadConfig({ DATABASE_URL: 'postgres://db/x', [name]: value });
    expect(load).toThrow(ConfigError);
    expect(load).toThrow(new RegExp(`^${name} ((?!sec)[^\\n])+$`));
  });

  it('refuses nodes of a cluster that contradict each other', () => {
    for (const REDIS_URL of ['redis://:x@a,redis://:y@b', 'redis://a,rediss://b', 'redis://a/1,redis://b/1']) {
      expect(() => loadConfig({ REDIS_CLUSTER: 'true', REDIS_URL })).toThrow(/^REDIS_URL [^\n]+$/);
    }
  });

  it.each([
    [{ NATS_TOKEN: 'se/cret' }, { token: 'se/cret' }, 'a token'],
    [{ NATS_USER: 'u', NATS_PASSWORD: 's#cret' }, { user: 'u', password: 's#cret' }, 'user u'],
    [{ NATS_CREDS: __filename }, { credsFile: __filename }, `the credentials in ${__filename}`],
    [{ NATS_NKEY: __filename }, { nkeyFile: __filename }, `the nkey in ${__filename}`],
  ])('logs in to NATS with %o, and says how', (env, login, how) => {
    const { nats } = loadConfig({ NATS_URL: 'nats://a', ...env });
    expect(nats).toMatchObject({
      ...login,
      description: `NATS at a:4222, ${how}, TLS if the server asks for it`,
    });
  });

  it.each([
    [{ NATS_URL: 'nats://u:p@a', NATS_TOKEN: 't' }, 'NATS_TOKEN cannot be used together with a login in NATS_URL'],
    [{ NATS_URL: 'nats://t@a', NATS_CREDS: __filename }, 'NATS_CREDS cannot be used together with a login in NATS_URL'],
    [
      { NATS_URL: 'nats://a', NATS_CREDS: __filename, NATS_NKEY: __filename },
      'NATS_NKEY cannot be used together with NATS_CREDS',
    ],
    [{ NATS_URL: 'nats://a', NATS_USER: 'u' }, 'NATS_USER needs NATS_PASSWORD'],
    [{ NATS_URL: 'nats://a', NATS_PASSWORD: 'p' }, 'NATS_PASSWORD needs NATS_USER'],
    [{ NATS_URL: 'nats://a', NATS_TOKEN: '' }, 'NATS_TOKEN is set, but empty'],
    [{ NATS_NKEY: __filename }, 'NATS_NKEY needs NATS_URL'],
    [{ NATS_TOKEN: 't' }, 'NATS_TOKEN needs NATS_URL'],
    [{ REDIS_URL: 'redis://a', REDIS_TLS_CA: __filename }, 'REDIS_TLS_CA needs a REDIS_URL that begins with rediss://'],
    [{ REDIS_TLS_KEY: __filename }, 'REDIS_TLS_KEY needs a REDIS_URL that begins with rediss://'],
    [{ REDIS_URL: 'rediss://a', REDIS_TLS_KEY: __filename }, 'REDIS_TLS_KEY needs REDIS_TLS_CERT'],
    [{ REDIS_URL: 'rediss://a', REDIS_TLS_CERT: __filename }, 'REDIS_TLS_CERT needs REDIS_TLS_KEY'],
    [
      { REDIS_URL: 'rediss://a', REDIS_TLS_CA: '/missing' },
      'REDIS_TLS_CA must be a file that can be read, is "/missing"',
    ],
    [
      { DATABASE_URL: 'postgres://a/b?sslmode=verify-full&sslrootcert=/nowhere.pem' },
      'DATABASE_URL cannot be used: ENOENT: /nowhere.pem',
    ],
    [
      { REDIS_URL: 'rediss://a', REDIS_TLS_CERT: __filename, REDIS_TLS_KEY: __filename },
      'REDIS_TLS_CERT cannot be used: ERR_OSSL_PEM_NO_START_LINE',
    ],
    [{ REDIS_URL: 'rediss://a', REDIS_TLS_CA: __filename }, 'REDIS_TLS_CA cannot be used: ERR_OSSL_PEM_NO_START_LINE'],
  ])('refuses %o in one line', (env, line) => {
    expect(() => loadConfig(env)).toThrow(new ConfigError(line));
  });

  it.each([
    ['PORT', 'http'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '3e3'],
    ['INSTANCE_ID', 'a\nb'],
    ['INSTANCE_ID', 'x'.repeat(129)],
    ['LOG_LEVEL', 'loud'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'grpc://collector:4317'],
    ['MCP', 'yes'],
    ['MCP_ALLOW_TASK_DELETE', 'true'],
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
    ['NATS_NKEY', __filename],
    ['NATS_PASSWORD', ' '],
    ['JWT_JWKS_URL', 'keys.json'],
    ['JWT_JWKS_URL', 'https://ada:secret@issuer.test/keys'],
    ['JWT_JWKS_URL', 'https://:secret@issuer.test/keys'],
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
    ['RATE_LIMITS', 'task.get=1/60s,task.get=2/60s'],
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
    ['CORS_ORIGINS', 'https://*.app.example'],
    ['CORS_ORIGINS', 'null'],
    ['MAX_CONNECTIONS_PER_PEER', '0'],
    ['API_KEYS_FILE', ''],
    ['OPERATOR_KEYS_FILE', ''],
    ['JWT_JWKS_URL', ''],
    ['JWT_PUBLIC_KEY', ' '],
    ['JWT_ISSUER', ''],
    ['JWT_AUDIENCE', ''],
    ['RETENTION_FINISHED_DAYS', '0.5'],
    ['POSTGRES_POOL_SIZE', '0'],
    ['SHUTDOWN_DELAY_MS', '5s'],
    ['MIGRATE', 'no'],
    ['MIGRATE', 'off'],
    ['REDIS_PREFIX', 'a{b}'],
    ['NATS_PREFIX', 'a.b'],
    ['NATS_PREFIX', 'a b'],
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

  describe('of traces', () => {
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://user:secret@collector:4318/otlp' };

    it('asks for none unless a collector is named', () => {
      expect(loadConfig({ OTEL_SERVICE_NAME: 'x', OTEL_TRACES_SAMPLER: 'sometimes' }).tracing).toBeUndefined();
      expect(loadConfig({ ...endpoint, OTEL_SDK_DISABLED: 'TRUE' }).tracing).toBeUndefined();
      expect(loadConfig({ ...endpoint, OTEL_TRACES_EXPORTER: 'none' }).tracing).toBeUndefined();
    });

    it('names the collector without credentials; variables for traces go before those for everything', () => {
      const headers = 'x-api-key=secret';
      expect(loadConfig({ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: headers }).tracing).toEqual({
        collector: 'https://collector:4318',
        protocol: 'http/protobuf',
        headers,
      });
      const traces = {
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces:4318/v1/traces',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
      };
      const expected = { collector: 'http://traces:4318', protocol: 'http/json' };
      expect(loadConfig({ ...endpoint, ...traces }).tracing).toMatchObject(expected);
    });

    it.each([
      ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
      ['OTEL_TRACES_SAMPLER', 'sometimes'],
    ])('refuses %s=%s', (name, value) => {
      expect(() => loadConfig({ ...endpoint, [name]: value })).toThrow(new RegExp(`^${name} must be one of `));
    });

    it.each([undefined, 'half', '1.5', '-1', '50%'])('refuses the ratio %s', (ratio) => {
      const sampler = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: ratio };
      expect(() => loadConfig({ ...endpoint, ...sampler })).toThrow(/^OTEL_TRACES_SAMPLER_ARG must be a number from 0/);
    });

    it.each(['0', '1', '0.01', '.5', '1.0'])('takes the ratio %s', (ratio) => {
      const sampler = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: ratio };
      expect(loadConfig({ ...endpoint, ...sampler }).tracing).toBeDefined();
    });
  });

  describe('of a variable for tokens that has no meaning', () => {
    const NAMES = ['JWT_JWKS_URL_FILE', 'JWT_JWKS', 'JWT_SECRET', 'JWT_KEY', 'JWT_PUBLIC_KEY_PATH', 'JWT_ISSUER_FILE'];
    const names = [...NAMES, 'JWKS_URL', 'AUTH_JWKS_URL', 'AUTH_ENABLED'];

    it.each(names)('warns of %s', (name) => {
      const jwksUrl = { JWT_JWKS_URL: 'https://issuer.test/keys' };
      for (const rest of [{}, { AUTH: 'off' }, jwksUrl, { API_KEYS_FILE: 'keys.json' }]) {
        const { warnings } = loadConfig({ [name]: 'secret', ...rest });
        expect(warnings).toEqual([expect.stringMatching(new RegExp(`${name} has no meaning here: did you mean JWT_`))]);
      }
    });

    it('ignores what Kubernetes sets for services with such names, and what is empty', () => {
      const links = {
        AUTH_SERVICE_HOST: '10.0.0.1',
        AUTH_SERVICE_PORT: '80',
        AUTH_SERVICE_PORT_HTTP: '80',
        AUTH_PORT: 'tcp://10.0.0.1:80',
        AUTH_PORT_80_TCP: 'tcp://10.0.0.1:80',
        JWT_ISSUER_PORT_80_TCP_ADDR: '10.0.0.1',
        JWT_SECRET: '',
      };
      expect(loadConfig(links).warnings).toEqual([]);
    });
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

    it.each([
      ['RSA, 2048 bits', generateKeyPairSync('rsa', { modulusLength: 2048 })],
      ['P-256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
      ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
      ['P-521', generateKeyPairSync('ec', { namedCurve: 'P-521' })],
    ])('accepts a key of %s', (_kind, pair) => {
      const JWT_PUBLIC_KEY = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
      expect(loadConfig({ JWT_PUBLIC_KEY }).accessTokens).toBeDefined();
    });

    it.each([
      ['RSA, 1024 bits', generateKeyPairSync('rsa', { modulusLength: 1024 })],
      ['RSA-PSS', generateKeyPairSync('rsa-pss', { modulusLength: 2048 })],
      ['secp256k1', generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
      ['DSA', generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 })],
      ['Ed448', generateKeyPairSync('ed448')],
      ['X25519', generateKeyPairSync('x25519')],
    ])('refuses a key of %s, with which no token could be valid', (_kind, pair) => {
      const JWT_PUBLIC_KEY = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
      expect(() => loadConfig({ JWT_PUBLIC_KEY })).toThrow(
        /^JWT_PUBLIC_KEY must be an RSA key of at least 2048 bits, an EC key on P-256, P-384 or P-521, or an Ed25519 key$/,
      );
    });

    it('refuses two public keys, of which only the first one would count', () => {
      const two = `${pem}${pem}`;
      for (const JWT_PUBLIC_KEY of [two, two.replaceAll('\n', '\\n')]) {
        expect(() => loadConfig({ JWT_PUBLIC_KEY })).toThrow(/^JWT_PUBLIC_KEY must be one public key: [^\n]+$/);
      }
    });
  });

  it('refuses inboxes among the subjects of the deployment', () => {
    const env = { NATS_URL: 'nats://bus', NATS_PREFIX: 'staging', NATS_INBOX_PREFIX: 'staging.inbox' };
    expect(() => loadConfig(env)).toThrow(/^NATS_INBOX_PREFIX [^\n]+$/);
    expect(loadConfig({ ...env, NATS_INBOX_PREFIX: 'inbox.staging' }).nats?.inboxPrefix).toBe('inbox.staging');
  });

  it('does not repeat an address in an error, because it may contain a password', () => {
    expect(() => loadConfig({ DATABASE_URL: 'mysql://user:secret@db' })).toThrow(/^((?!secret).)*$/);
  });
});
