import { loadConfig } from '../../../src/app/config';
import { setupLines } from '../../../src/app/setup-lines';

describe('the lines about the setup', () => {
  it('name what is embedded, with the absolute path of the data', () => {
    expect(setupLines(loadConfig({ DATA_DIR: '/var/lib/dossier' }))).toEqual([
      'PostgreSQL: embedded, the data is in /var/lib/dossier',
      expect.stringMatching(/^Redis: a cache inside this process/),
      expect.stringMatching(/^NATS: none/),
    ]);
    expect(setupLines(loadConfig({}))[0]).toBe(`PostgreSQL: embedded, the data is in ${process.cwd()}/data`);
    expect(setupLines(loadConfig({ DATA_DIR: 'memory' }))[0]).toContain('nothing is kept');
  });

  it('name the collector of traces, if there is one', () => {
    const config = loadConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://user:secret@collector:4318' });
    expect(setupLines(config).at(-1)).toBe('OpenTelemetry: traces go to http://collector:4318 (http/protobuf)');
  });

  it('say what the URLs of servers mean, without their passwords', () => {
    const config = loadConfig({
      DATABASE_URL: 'postgres://user:secret@db.example:5432/dossier?password=secret',
      REDIS_URL: 'redis://:secret@cache-1:6379,redis://:secret@cache-2:6379',
      REDIS_CLUSTER: 'true',
      NATS_URL: 'nats://user:secret@bus:4222',
    });
    expect(setupLines(config)).toEqual([
      'PostgreSQL at db.example:5432, database dossier, user user, TLS off',
      'Redis Cluster at cache-1:6379, cache-2:6379, user default, TLS off',
      'NATS at bus:4222, user user, TLS if the server asks for it',
    ]);
  });
});
