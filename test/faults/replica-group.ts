import { join } from 'node:path';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { startRedis, startRedisCluster, type RedisServer } from '../support/redis-server';
import { startService, type Environment, type Service } from '../support/service';
import { STORE_FAILED, UNAVAILABLE } from './client';

/** Neither the number of calls in a minute nor the load of the machine may lead to refusals. */
export const LIMITS = {
  RATE_LIMITS: 'task.delete_attachment=1000000/60s,task.delete=1000000/60s',
  MAX_EVENT_LOOP_DELAY_MS: '60000',
};
/** How long after an outage the replicas may take until they use everything again. */
export const RECOVERED_AFTER_MS = 20_000;
const SHIFTED_CLOCK = join(__dirname, 'shifted-clock.js');

export interface GroupOptions {
  /** False by default. */
  readonly isCluster?: boolean;
  /** By how much the clock of each replica is ahead of the true time; negative: behind. */
  readonly clocksAheadMs?: readonly number[];
}

/**
 * Replicas of the built service, each with its own proxies to PostgreSQL and Redis, and the servers that they share.
 */
export interface ReplicaGroup {
  readonly postgres: PostgresServer;
  readonly isCluster: boolean;
  /** Each keeps what it has acknowledged even if it is killed. */
  readonly redisNodes: readonly RedisServer[];
  /** The only node, or the first. */
  readonly redis: RedisServer;
  readonly nats: NatsServer;
  /** Not through any proxy. */
  readonly databaseUrl: string;
  readonly replicas: readonly Replica[];
  close(): Promise<void>;
}

export async function startReplicas(
  count: number,
  { isCluster = false, clocksAheadMs = [] }: GroupOptions = {},
): Promise<ReplicaGroup> {
  const started: { stop(): Promise<unknown> }[] = [];
  const keep = <T extends { stop(): Promise<unknown> }>(one: T) => (started.push(one), one);
  const close = async () => {
    for (const one of started.splice(0).reverse()) await one.stop();
  };
  try {
    const postgres = keep(await startPostgres({ archives: true }));
    const cluster = isCluster ? keep(await startRedisCluster({ appendOnly: true })) : undefined;
    const redisNodes = cluster?.nodes ?? [keep(await startRedis({ appendOnly: true }))];
    const nats = keep(await startNats());
    const databaseUrl = await postgres.createDatabase();
    const start = async (_: unknown, i: number) => {
      const clock = clockAhead(clocksAheadMs[i] ?? 0);
      const environment = { ...LIMITS, ...clock, INSTANCE_ID: `replica-${i + 1}`, NATS_URL: nats.url };
      return keep(await Replica.start(environment, databaseUrl, redisNodes));
    };
    const replicas = await Promise.all(Array.from({ length: count }, start));
    const redis = redisNodes[0] as RedisServer;
    return { postgres, isCluster, redisNodes, redis, nats, databaseUrl, replicas, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export class Replica {
  /** One of its processes has ended by itself. */
  hasCrashed = false;
  /** Whether a load balancer sends calls to it: not from the moment at which it has noticed that it leaves. */
  takesCalls = true;
  /** The processes that the test itself has killed. */
  private readonly killed = new Set<Service>();
  /** The processes that it has told to end in order. */
  private readonly told = new Set<Service>();

  private constructor(
    private readonly postgresProxy: FaultProxy | undefined,
    private readonly redisProxy: FaultProxy | undefined,
    private readonly environment: Environment,
    private current: Service,
  ) {
    this.watch();
  }

  /** Without proxies its links cannot fail, and what the process of the test does cannot delay them. */
  static async start(
    environment: Environment,
    databaseUrl: string,
    redisNodes: readonly RedisServer[],
    { hasProxies = true } = {},
  ) {
    const isCluster = redisNodes.length > 1;
    const toPostgres = hasProxies ? await startFaultProxy(portOf(databaseUrl)) : undefined;
    const toRedis = isCluster || !hasProxies ? undefined : await startFaultProxy((redisNodes[0] as RedisServer).port);
    const full = {
      ...environment,
      DATABASE_URL: throughProxy(databaseUrl, toPostgres),
      REDIS_URL: redisNodes.map(({ url }) => throughProxy(url, toRedis)).join(),
      REDIS_CLUSTER: String(isCluster),
    };
    try {
      return new Replica(toPostgres, toRedis, full, await startService(full));
    } catch (error) {
      await Promise.all([toPostgres?.close(), toRedis?.close()]);
      throw error;
    }
  }

  get toPostgres(): FaultProxy {
    if (!this.postgresProxy) throw new Error('there is no proxy to PostgreSQL');
    return this.postgresProxy;
  }

  /** A cluster tells replicas the addresses of its nodes: no proxy can stand in between. */
  get toRedis(): FaultProxy {
    if (!this.redisProxy) throw new Error('there is no proxy to Redis');
    return this.redisProxy;
  }

  get name(): string {
    return this.environment['INSTANCE_ID'] as string;
  }

  /** The process that serves now, or served last. */
  get service(): Service {
    return this.current;
  }

  hasKilled(service: Service): boolean {
    return this.killed.has(service);
  }

  /** As a crash would. */
  async kill(): Promise<void> {
    this.killed.add(this.service);
    await this.service.kill();
  }

  /** A new process in the place of one that was killed. */
  async startAgain(): Promise<void> {
    this.current = await startService(this.environment);
    this.watch();
  }

  /** As an update does: it leaves in order, and a new process takes its place. Resolves with its exit code. */
  async replace(): Promise<number | null> {
    const { service } = this;
    this.told.add(service);
    service.signal('SIGTERM');
    await service.until('/readyz', 503);
    this.takesCalls = false;
    const { code } = await service.exit;
    await this.startAgain();
    await this.service.until('/readyz', 200);
    this.takesCalls = true;
    return code;
  }

  /** It reaches all servers, calls are let through to PostgreSQL, and its breakers are closed. */
  async hasRecovered(): Promise<boolean> {
    const [ready, metrics, call] = await Promise.all([
      this.service.fetch('/readyz'),
      this.service.fetch('/metrics'),
      // An outage of less than a second does not show in the probe.
      this.service.rpc('task.get', { id: 'no-such-task' }),
    ]);
    const { details } = JSON.parse(ready.text) as { details: Record<string, { state?: string }> };
    const areUp = ['postgres', 'redis', 'nats'].every((name) => details[name]?.state === 'up');
    const isAnswered = call.error?.code !== UNAVAILABLE && call.error?.code !== STORE_FAILED;
    return areUp && isAnswered && !/^dossier_breaker_open\{.*\} 1$/m.test(metrics.text);
  }

  async stop(): Promise<void> {
    await this.kill();
    await Promise.all([this.postgresProxy?.close(), this.redisProxy?.close()]);
  }

  private watch(): void {
    const { service } = this;
    void service.exit.then(() => (this.hasCrashed ||= !this.hasKilled(service) && !this.told.has(service)));
  }
}

export function untilRecovered({ replicas }: ReplicaGroup, timeoutMs = RECOVERED_AFTER_MS): Promise<boolean> {
  const allHave = async () => {
    const answers = await Promise.all(replicas.map((replica) => replica.hasRecovered()));
    return !answers.includes(false);
  };
  return until('all replicas reach all they need', allHave, timeoutMs);
}

function clockAhead(ms: number): Environment {
  return ms === 0 ? {} : { CLOCK_AHEAD_MS: String(ms), NODE_OPTIONS: `--require ${JSON.stringify(SHIFTED_CLOCK)}` };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

function throughProxy(url: string, proxy: FaultProxy | undefined): string {
  if (!proxy) return url;
  const proxied = new URL(url);
  proxied.port = String(proxy.port);
  return proxied.href;
}
