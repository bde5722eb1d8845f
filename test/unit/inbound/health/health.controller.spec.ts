import type { AddressInfo } from 'node:net';
import { Global, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Counter, Registry } from 'prom-client';
import { DependencyWatch, type DependencyHealth } from '../../../../src/inbound/health/dependency-watch';
import { ProjectChanges } from '../../../../src/core/use-cases/upkeep/project-changes';
import { HealthModule } from '../../../../src/inbound/health/health.module';
import { Lifecycle } from '../../../../src/inbound/health/lifecycle';
import { Readiness } from '../../../../src/inbound/health/readiness';

import type { Standing } from '../../../../src/core/consistency/epoch-watch';

type State = DependencyHealth['state'];

let app: NestFastifyApplication | undefined;
let lifecycle: Lifecycle;
let registry: Registry;
let health: DependencyWatch['health'];
const projection = { standing: 'home' as Standing };

async function start(): Promise<void> {
  healthIs('embedded', 'embedded', 'embedded');
  registry = new Registry();
  const watch = {
    get health() {
      return health;
    },
  };
  const provided = [
    { provide: Registry, useValue: registry },
    { provide: DependencyWatch, useValue: watch },
    { provide: ProjectChanges, useValue: projection },
  ];
  @Global()
  @Module({ imports: [HealthModule], providers: provided, exports: provided })
  class TestModule {}
  app = await NestFactory.create<NestFastifyApplication>(TestModule, new FastifyAdapter(), { logger: false });
  lifecycle = app.get(Lifecycle);
  await app.listen(0, '127.0.0.1');
}

afterEach(async () => {
  await app?.close();
  app = undefined;
});

function healthIs(postgres: State, redis: State, nats: State): void {
  health = { postgres: { state: postgres }, redis: { state: redis }, nats: { state: nats } };
}

async function get(path: string): Promise<{ status: number; body: unknown }> {
  const { port } = app?.getHttpServer().address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, body: await response.json() };
}

const stateOf = (postgres: string, redis: string, nats: string) => ({
  details: { postgres: { state: postgres }, redis: { state: redis }, nats: { state: nats } },
});

describe('probes', () => {
  it('the probes follow the phases of the process', async () => {
    await start();
    const readiness = app?.get(Readiness) as Readiness;
    const statuses = async () =>
      [await get('/livez'), await get('/startupz'), await get('/readyz')].map((p) => p.status);
    expect(await statuses()).toEqual([200, 503, 503]);
    expect(readiness.isReady).toBe(false);
    lifecycle.started();
    expect(await statuses()).toEqual([200, 200, 200]);
    expect([readiness.isReady, readiness.isOver.aborted]).toEqual([true, false]);
    lifecycle.leaving();
    expect([readiness.isReady, readiness.isOver.aborted]).toEqual([false, true]);
    expect(await statuses()).toEqual([200, 200, 503]);
    lifecycle.stopping();
    lifecycle.leaving();
    expect(lifecycle.isStopping).toBe(true);
    expect(await statuses()).toEqual([200, 200, 503]);
    lifecycle.started();
    expect(await statuses()).toEqual([200, 200, 503]);
  });

  it.each([
    [200, 'embedded', 'embedded', 'embedded'],
    [200, 'up', 'up', 'up'],
    [200, 'up', 'down', 'down'],
    [200, 'down', 'up', 'down'],
    [503, 'down', 'down', 'up'],
    [200, 'up', 'up', 'down'],
    [200, 'embedded', 'down', 'embedded'],
    [200, 'up', 'embedded', 'embedded'],
    [503, 'down', 'embedded', 'up'],
  ] as const)('readiness is %i if PostgreSQL is %s, Redis %s and NATS %s', async (status, postgres, redis, nats) => {
    await start();
    lifecycle.started();
    healthIs(postgres, redis, nats);
    expect(await get('/readyz')).toMatchObject({ status, body: stateOf(postgres, redis, nats) });
    expect(app?.get(Readiness).isReady).toBe(status === 200);
    expect((await get('/livez')).status).toBe(200);
  });

  it.each([
    [200, 'home'],
    [200, 'replaced'],
    [503, 'unknown-epoch'],
    [503, 'other-database'],
    [503, 'unknown-address'],
    [503, 'unfit-schema'],
  ] as const)('readiness is %i if database and cache are %s', async (status, standing) => {
    await start();
    lifecycle.started();
    projection.standing = standing;
    expect((await get('/readyz')).status).toBe(status);
    expect(app?.get(Readiness).isReady).toBe(status === 200);
    projection.standing = 'home';
  });

  it('readiness says why a store that answers should not be relied on', async () => {
    await start();
    lifecycle.started();
    const inDetail = async () => (await get('/readyz')) as { status: number; body: { details: { redis: unknown } } };
    health = { ...health, redis: { state: 'up', reason: 'it forgets' } };
    const { status, body } = await inDetail();
    expect([status, body.details.redis]).toEqual([200, { status: 'degraded', state: 'up', reason: 'it forgets' }]);
    health = { ...health, redis: { state: 'down' } };
    expect((await inDetail()).body.details.redis).toEqual({ status: 'degraded', state: 'down' });
  });
});

describe('/metrics', () => {
  it('the page shows the registered metrics in the text format of Prometheus', async () => {
    await start();
    new Counter({ name: 'dossier_example_total', help: 'An example.', registers: [registry] }).inc(3);
    const { port } = app?.getHttpServer().address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(response.headers.get('content-type')).toBe(Registry.PROMETHEUS_CONTENT_TYPE);
    expect(await response.text()).toContain('dossier_example_total 3');
  });
});
