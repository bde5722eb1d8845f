import type { AddressInfo } from 'node:net';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { TerminusModule } from '@nestjs/terminus';
import { Counter, Registry } from 'prom-client';
import { Dependency } from '../../src/core/ports/dependency';
import { DependencyCheck } from '../../src/inbound/health/dependency-check';
import { HealthController } from '../../src/inbound/health/health.controller';
import { Lifecycle } from '../../src/inbound/health/lifecycle';
import { MetricsController } from '../../src/inbound/health/metrics.controller';

class FakeDependency extends Dependency {
  pings = 0;
  answer: () => Promise<void> = () => Promise.resolve();

  constructor(readonly name: Dependency['name']) {
    super();
  }

  ping(): Promise<void> {
    this.pings += 1;
    return this.answer();
  }
}

const refuse = () => Promise.reject(new Error('connection refused'));

let app: NestFastifyApplication | undefined;
let lifecycle: Lifecycle;
let registry: Registry;

async function start(...dependencies: Dependency[]): Promise<void> {
  lifecycle = new Lifecycle();
  registry = new Registry();
  @Module({
    imports: [TerminusModule.forRoot({ logger: false })],
    controllers: [HealthController, MetricsController],
    providers: [
      { provide: Lifecycle, useValue: lifecycle },
      { provide: Registry, useValue: registry },
      { provide: DependencyCheck, useValue: new DependencyCheck(dependencies) },
    ],
  })
  class TestModule {}
  app = await NestFactory.create<NestFastifyApplication>(TestModule, new FastifyAdapter(), { logger: false });
  await app.listen(0, '127.0.0.1');
}

afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function get(path: string): Promise<{ status: number; body: unknown }> {
  const { port } = app?.getHttpServer().address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, body: await response.json() };
}

const stateOf = (postgres: string, redis: string, nats: string) => ({
  details: { postgres: { state: postgres }, redis: { state: redis }, nats: { state: nats } },
});

describe('probes', () => {
  it('follow the life of the process', async () => {
    await start();
    const statuses = async () =>
      [await get('/livez'), await get('/startupz'), await get('/readyz')].map((p) => p.status);
    expect(await statuses()).toEqual([200, 503, 503]);
    lifecycle.started();
    expect(await statuses()).toEqual([200, 200, 200]);
    lifecycle.stopping();
    expect(await statuses()).toEqual([200, 200, 503]);
    lifecycle.started();
    expect(await statuses()).toEqual([200, 200, 503]);
  });

  it('ask stores for readiness only', async () => {
    const postgres = new FakeDependency('postgres');
    await start(postgres);
    await get('/livez');
    await get('/startupz');
    expect(postgres.pings).toBe(0);
    await get('/readyz');
    expect(postgres.pings).toBe(1);
  });

  it('are ready when everything is embedded', async () => {
    await start();
    lifecycle.started();
    expect(await get('/readyz')).toMatchObject({
      status: 200,
      body: { status: 'ok', ...stateOf('embedded', 'embedded', 'embedded') },
    });
  });

  it('are ready while PostgreSQL or Redis answers, whatever NATS does', async () => {
    const [postgres, redis, nats] = (['postgres', 'redis', 'nats'] as const).map((name) => new FakeDependency(name));
    await start(postgres as Dependency, redis as Dependency, nats as Dependency);
    lifecycle.started();
    const answering = async (...states: boolean[]) => {
      [postgres, redis, nats].forEach(
        (one, i) => ((one as FakeDependency).answer = states[i] ? () => Promise.resolve() : refuse),
      );
      return get('/readyz');
    };
    expect(await answering(true, true, true)).toMatchObject({ status: 200, body: stateOf('up', 'up', 'up') });
    expect(await answering(true, false, false)).toMatchObject({ status: 200, body: stateOf('up', 'down', 'down') });
    expect(await answering(false, true, false)).toMatchObject({ status: 200, body: stateOf('down', 'up', 'down') });
    expect(await answering(false, false, true)).toMatchObject({ status: 503, body: stateOf('down', 'down', 'up') });
    expect(await answering(true, true, false)).toMatchObject({ status: 200, body: stateOf('up', 'up', 'down') });
  });

  it('say of a store that answers why it is not to be relied on', async () => {
    const redis = new FakeDependency('redis');
    const unfit = Object.assign(redis, { unfitness: () => Promise.resolve('it forgets') });
    await start(unfit);
    lifecycle.started();
    const inDetail = async () => (await get('/readyz')) as { status: number; body: { details: { redis: unknown } } };
    const { status, body } = await inDetail();
    expect([status, body.details.redis]).toEqual([200, { status: 'degraded', state: 'up', reason: 'it forgets' }]);
    unfit.answer = refuse;
    expect((await inDetail()).body.details.redis).toEqual({ status: 'degraded', state: 'down' });
  });

  it('count an embedded store as one that answers', async () => {
    const redis = new FakeDependency('redis');
    redis.answer = refuse;
    await start(redis);
    lifecycle.started();
    expect(await get('/readyz')).toMatchObject({ status: 200, body: stateOf('embedded', 'down', 'embedded') });
  });
});

describe('/metrics', () => {
  it('shows what is registered, in the text format of Prometheus', async () => {
    await start();
    new Counter({ name: 'dossier_example_total', help: 'An example.', registers: [registry] }).inc(3);
    const { port } = app?.getHttpServer().address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(response.headers.get('content-type')).toBe(Registry.PROMETHEUS_CONTENT_TYPE);
    expect(await response.text()).toContain('dossier_example_total 3');
  });
});
