import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findOrInstall } from '../support/installed-binary';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { openOnServers, type Setup } from '../support/setups';

const ROOT = join(__dirname, '../..');

describe('the metrics of a replica on real servers', () => {
  let setup: Setup;
  let nats: NatsServer;

  beforeAll(async () => {
    nats = await startNats();
    setup = await openOnServers({ NATS_URL: nats.url, RATE_LIMITS: 'task.list=1/1h' });
  });
  afterAll(async () => {
    await setup?.close();
    await nats?.stop();
  });

  const scrape = async () => (await setup.service.fetch('/metrics')).text;
  const sample = async (name: string) => {
    const line = (await scrape()).split('\n').find((one) => one.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  };

  it('show the state of servers, jobs, pool, projection and schema', async () => {
    for (const dependency of ['postgres', 'redis', 'nats']) {
      await until(
        `${dependency} is up`,
        async () => (await sample(`dossier_dependency_up{dependency="${dependency}"}`)) === 1,
      );
    }
    expect(await sample('dossier_dependency_fit{dependency="redis"}')).toBe(1);
    await until('the cache is believed', async () => (await sample('dossier_cache_trusted')) === 1);
    await until('the projection is not late', async () => ((await sample('dossier_projection_lag_seconds')) ?? 9) < 1);
    await until('one replica publishes', async () => (await sample('dossier_publisher_leader')) === 1);
    const [newest] = /\d{13}/.exec(String(await sample('dossier_schema_version'))) ?? [];
    expect(newest).toBeDefined();
    expect(await sample('dossier_pool_size')).toBe(16);
    expect(await sample('dossier_journal_oldest_seconds')).toBe(0);
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(await sample(`dossier_build_info{version="${version}",node="${process.version}"}`)).toBe(1);
    const job = 'dossier_job_last_success_timestamp_seconds{job="drain_the_journal"}';
    await until('the drain has run', async () => ((await sample(job)) ?? 0) > Date.now() / 1000 - 60);
  });

  it('count calls that are refused, and time the stores', async () => {
    const { service } = setup;
    await service.result('task.list');
    await service.error('task.list');
    await service.post('{');
    await service.error('task.get', { id: 'missing' });
    const text = await scrape();
    for (const line of [
      'dossier_requests_rejected_total{reason="rate_limited"} 1',
      'dossier_requests_rejected_total{reason="parse_error"} 1',
      'dossier_request_duration_seconds_count{method="task.list",transport="http",outcome="rate_limited"} 1',
      'dossier_request_duration_seconds_count{method="task.get",transport="http",outcome="not_found"} 1',
      'dossier_store_duration_seconds_count{store="postgres",operation="task.list",outcome="ok"} 1',
    ]) {
      expect(text).toContain(line);
    }
  });

  it('pass the linter of Prometheus, and say in their help how replicas are combined', async () => {
    const text = await scrape();
    const { status, stdout, stderr } = spawnSync(findOrInstall('promtool'), ['check', 'metrics'], {
      input: text,
      encoding: 'utf8',
    });
    expect([status, stdout, stderr]).toEqual([0, '', '']);
    const help = [...text.matchAll(/^# HELP (dossier_\w+) (.*)$/gm)];
    expect(help.length).toBeGreaterThan(20);
    for (const [, name, words] of help) {
      if (name !== 'dossier_build_info')
        expect([name, words]).toEqual([name, expect.stringMatching(/\b(?:[Ss]um|max|min)\b/)]);
    }
  });

  it('have no name of a task, key or caller in a label', async () => {
    await setup.service.result('task.create', { id: 'secret-task', text: 'x' });
    expect(await scrape()).not.toContain('secret-task');
  });

  it('show answers without PostgreSQL, and since when a write waits for it', async () => {
    const { service, servers } = setup;
    const params = { taskId: 'secret-task', key: 'a', type: 'json', value: 1 };
    await service.result('task.create_attachment', params);
    await servers?.postgres.kill();
    await until(
      'the outage is known',
      async () => (await sample('dossier_dependency_up{dependency="postgres"}')) === 0,
    );
    expect(await service.result('task.create_attachment', params)).toMatchObject({ degraded: true });
    expect(await scrape()).toContain('dossier_degraded_answers_total{method="task.create_attachment"} 1');
    await until('the write waits', async () => ((await sample('dossier_journal_oldest_seconds')) ?? 0) > 0.5);
    await servers?.postgres.restart();
    await until('it has been drained', async () => (await sample('dossier_journal_oldest_seconds')) === 0, 30_000);
  });
});
