import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port';
import { findOrFetch } from '../support/kubernetes-tools';
import { findOrInstall } from '../support/installed-binary';
import { startNats, type NatsServer } from '../support/nats-server';
import { alertRules, dashboardQueries, METRIC_NAME } from '../support/prometheus-queries';
import { openOnServers, withPostgres, withRedis, type Servers, type Setup } from '../support/setups';

const ROOT = join(__dirname, '../..');
const PARTS = ['**Meaning.**', '**Impact.**', '**Commands.**', '**When to call.**'];
const COMMAND_TIMEOUT_MS = 60_000;
const OPERATOR_KEY = 'operator-key';

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly { readonly id: number; readonly title: string }[];
}

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const rules = alertRules();
const sections = new Map(
  read('docs/playbooks.md')
    .split('\n## ')
    .slice(1)
    .map((text) => [text.slice(0, text.indexOf('\n')), text]),
);
const commandsOf = (text: string) =>
  [...text.matchAll(/```sh\n([^]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'));
const commands = [...new Set([...sections.values()].flatMap(commandsOf))];
const dashboard = JSON.parse(read('deploy/grafana/dossier.json')) as Dashboard;

describe('the playbooks', () => {
  it('have one section for each alert, which its annotation names', () => {
    expect([...sections.keys()]).toEqual(rules.map(({ alert }) => alert));
    for (const { alert, annotations } of rules) {
      expect(annotations.playbook).toBe(`docs/playbooks.md#${alert.toLowerCase()}`);
    }
  });

  it.each([...sections])('%s says what it means, its impact, what to do and when to call', (_, text) => {
    const positions = PARTS.map((part) => text.indexOf(part));
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    expect(positions[0]).toBeGreaterThan(0);
    expect(commandsOf(text).length).toBeGreaterThan(0);
  });

  it('name other sections and documents that exist', () => {
    const text = read('docs/playbooks.md');
    for (const [name] of text.matchAll(/\bDossier[A-Z]\w+/g)) expect([...sections.keys()]).toContain(name);
    for (const [, file] of text.matchAll(/\]\(([^)#]+)\)/g))
      expect(() => read(join('docs', file as string))).not.toThrow();
  });
});

describe('with a replica on real servers', () => {
  let setup: Setup;
  let nats: NatsServer;
  let folder: string;
  let env: Record<string, string>;

  beforeAll(async () => {
    const monitorPort = await freePort();
    nats = await startNats({ args: ['--http_port', String(monitorPort)] });
    folder = mkdtempSync(join(tmpdir(), 'dossier-playbooks-'));
    const operators = join(folder, 'operators.json');
    const sha256 = createHash('sha256').update(OPERATOR_KEY).digest('hex');
    writeFileSync(operators, JSON.stringify([{ id: 'o', name: 'o', sha256 }]));
    setup = await openOnServers({ NATS_URL: nats.url, OPERATOR_KEYS_FILE: operators });
    const { DATABASE_URL = '', REDIS_URL = '' } = setup.environment;
    const { databaseUrl } = setup.servers as Servers;
    await withPostgres(databaseUrl, (client) => client.query('CREATE ROLE dossier_monitor LOGIN IN ROLE pg_monitor'));
    // With the rights of the service, not those of the server's owners.
    const rights = /^user dossier on #\w+ (.*)$/m.exec(read('deploy/redis-users.conf'))?.[1] ?? '';
    await withRedis(REDIS_URL, (redis) => redis.acl('SETUSER', 'dossier', 'on', '>p', ...rights.split(' ')));
    writeProgram('dossier', `exec ${process.execPath} ${ROOT}/dist/commands/dossier.js "$@"`);
    // Without a cluster: whether kubectl knows the command and its flags.
    writeProgram('kubectl', `exec ${findOrFetch('kubectl')} "$@" --help`);
    env = {
      PATH: `${folder}:${process.env['PATH']}`,
      DOSSIER: setup.service.url,
      DOSSIER_URL: setup.service.url,
      DOSSIER_OPERATOR_KEY: OPERATOR_KEY,
      DATABASE_URL,
      MONITOR_URL: databaseUrl.replace('//postgres@', '//dossier_monitor@'),
      REDIS_URL: REDIS_URL.replace('//', '//dossier:p@'),
      REPLICAS: 'app.kubernetes.io/name=dossier',
      NATS_MONITOR: `http://127.0.0.1:${monitorPort}`,
    };
    findOrInstall('psql');
  });
  afterAll(async () => {
    await setup?.close();
    await nats?.stop();
    if (folder) rmSync(folder, { recursive: true });
  });

  const writeProgram = (name: string, command: string) => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${command}\n`);
    chmodSync(join(folder, name), 0o755);
  };

  it.each(commands)('the command of a playbook runs: %s', (command) => {
    // A search may find nothing; every program before it must succeed.
    const searchless = command.replace(/ \| grep .*$/, '');
    const { status, stderr, stdout } = spawnSync('sh', ['-c', searchless], {
      env,
      encoding: 'utf8',
      timeout: COMMAND_TIMEOUT_MS,
    });
    expect([status, stderr.replace(/^Warning: Using a password .*\n/m, '')]).toEqual([0, '']);
    // redis-cli does not fail if Redis refuses a command.
    expect(stdout).not.toMatch(/^(?:ERR|NOAUTH|NOPERM) /);
    const [, verb] = /^kubectl (?:--namespace dossier )?(\w+)/.exec(command) ?? [];
    if (verb !== undefined) expect(stdout).toContain(`Usage:\n  kubectl ${verb}`);
    const [, pattern] = /\/metrics" \| grep '\^(\w+)'$/.exec(command) ?? [];
    if (pattern !== undefined) expect(stdout).toContain(`\n# HELP ${pattern.replace(/_(?:count|sum)$/, '')}`);
  });

  it('every metric of the alerts and of the dashboard is one that a replica has', async () => {
    await setup.service.result('task.create', { id: 't', text: 'x' });
    const { text } = await setup.service.fetch('/metrics');
    const known = new Set([...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name));
    const used = [...rules, ...dashboardQueries()].flatMap(({ expr }) =>
      [...expr.matchAll(new RegExp(METRIC_NAME, 'g'))].map(([name]) => name),
    );
    expect(used.length).toBeGreaterThan(50);
    const isKnown = (name: string) => known.has(name) || known.has(name.replace(/_(?:bucket|count|sum)$/, ''));
    expect([...new Set(used)].filter((name) => !isKnown(name))).toEqual([]);
  });

  it('every query of the dashboard is one that Prometheus takes', () => {
    const groups = [
      {
        name: 'dashboard',
        rules: dashboardQueries().map(({ expr }, i) => ({
          record: `query_${i}`,
          expr: expr.replaceAll('$__rate_interval', '1m'),
        })),
      },
    ];
    const file = join(folder, 'queries.yml');
    writeFileSync(file, JSON.stringify({ groups }));
    const { status, stderr } = spawnSync(findOrInstall('promtool'), ['check', 'rules', '--lint=none', file], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  });
});

it('the dashboard has a stable uid, and panels with ids and titles of their own', () => {
  expect(dashboard.uid).toBe('dossier-service');
  for (const one of ['id', 'title'] as const) {
    const values = dashboard.panels.map((panel) => panel[one]);
    expect(new Set(values).size).toBe(values.length);
  }
});
