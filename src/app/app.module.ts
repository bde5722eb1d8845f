import { Logger, Module, type DynamicModule, type FactoryProvider, type Provider } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ThrottlerModule, type ThrottlerModuleOptions } from '@nestjs/throttler';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Config } from './config';
import { CoreSettings } from '../core/ports/core-settings';
import { DrainJournal } from '../core/use-cases/upkeep/drain-journal';
import { ProjectChanges } from '../core/use-cases/upkeep/project-changes';
import { PublishEvents } from '../core/use-cases/events/publish-events';
import { PurgeHistory } from '../core/use-cases/upkeep/purge-history';
import { ReportBacklog } from '../core/use-cases/upkeep/report-backlog';
import { SweepExpired } from '../core/use-cases/upkeep/sweep-expired';
import { Authenticator } from '../inbound/auth/authenticator';
import { BackgroundJobs } from '../inbound/background/background-jobs';
import { DependencyWatch } from '../inbound/health/dependency-watch';
import { HealthController } from '../inbound/health/health.controller';
import { Lifecycle } from '../inbound/health/lifecycle';
import { MetricsController } from '../inbound/health/metrics.controller';
import { EventsController } from '../inbound/http/events.controller';
import { AttachmentsRpc } from '../inbound/methods/attachments.rpc';
import { CallDurations } from '../inbound/json-rpc/call-durations';
import { LoadShedder } from '../inbound/load/load-shedder';
import { rateLimitOptions } from '../inbound/methods/rate-limit.guard';
import { RateLimitRules } from '../inbound/methods/rate-limit-rules';
import { TasksRpc } from '../inbound/methods/tasks.rpc';
import { Breakers } from '../outbound/breakers/breakers';
import { MemoryAttachmentCache } from '../outbound/memory/memory-attachment-cache';
import { MemoryEventBus } from '../outbound/memory/memory-event-bus';
import { MemoryRateLimits } from '../outbound/memory/memory-rate-limits';
import { NoAttachmentJournal } from '../outbound/memory/no-attachment-journal';
import type { NatsConnection } from '../outbound/nats/nats-connection';
import { NatsEventBus } from '../outbound/nats/nats-event-bus';
import { PostgresAttachmentStore } from '../outbound/postgres/postgres-attachment-store';
import type { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { PostgresExpiredAttachmentStore } from '../outbound/postgres/postgres-expired-attachment-store';
import { PostgresOutbox } from '../outbound/postgres/postgres-outbox';
import { PostgresTaskStore } from '../outbound/postgres/postgres-task-store';
import type { PublisherSession } from '../outbound/postgres/publisher-session';
import { PrometheusMetrics } from '../outbound/prometheus/prometheus-metrics';
import { RedisAttachmentCache } from '../outbound/redis/redis-attachment-cache';
import { RedisAttachmentJournal } from '../outbound/redis/redis-attachment-journal';
import { RedisKeys } from '../outbound/redis/redis-keys';
import { RedisRateLimits } from '../outbound/redis/redis-rate-limits';
import type { RedisConnection } from '../outbound/redis/redis-connection';
import { RandomIdSource } from '../outbound/system/random-id-source';
import { SystemClock } from '../outbound/system/system-clock';
import { composeUseCases, USE_CASE_CLASSES, UseCases, type Ports, type WithBreaker } from './use-cases';

/** The connections that outlive the module: opened before it, closed after it. */
export interface Connections {
  readonly postgres: PostgresConnection;
  /** Undefined where the database is embedded. */
  readonly publisher?: PublisherSession;
  readonly redis?: RedisConnection;
  readonly nats?: NatsConnection;
}

const MAX_RATE_WINDOWS = 200_000;
const MEMORY_CACHE_LIMITS = { maxTasks: 10_000, maxBytes: 128 * 1024 * 1024 };

type Token<T> = abstract new (...args: never[]) => T;

/** Provides a class whose constructor takes ports; one that is missing or in the wrong place does not compile. */
function wire<Ports extends unknown[], T>(
  target: new (...ports: Ports) => T,
  ...ports: { [Index in keyof Ports]: Token<Ports[Index]> }
): FactoryProvider<T> {
  return { provide: target, useFactory: (...given: Ports) => new target(...given), inject: ports as Token<unknown>[] };
}

/** The composition root: the only place that knows every room of the house. */
@Module({})
export class AppModule {
  static register(config: Config, connections: Connections, authenticator: Authenticator): DynamicModule {
    const registry = new Registry();
    const breakers = new Breakers(registry);
    const ports = portsOf(config, connections, registry);
    const useCases = composeUseCases(ports, { withBreaker: withBreakerOf(config, connections, breakers) });
    return {
      module: AppModule,
      imports: [TerminusModule.forRoot({ logger: false }), ThrottlerModule.forRoot(rateLimits(config, connections))],
      controllers: [AttachmentsRpc, TasksRpc, HealthController, MetricsController, EventsController],
      providers: [
        { provide: UseCases, useValue: useCases },
        ...Object.entries(USE_CASE_CLASSES).map(([name, useCase]) => ({
          provide: useCase,
          useFactory: (all: UseCases) => all[name as keyof UseCases],
          inject: [UseCases],
        })),
        ...operations(config, connections, registry, breakers),
        { provide: Authenticator, useValue: authenticator },
        { provide: CoreSettings, useValue: ports.settings },
      ],
    };
  }
}

function portsOf(config: Config, { postgres, publisher, redis, nats }: Connections, registry: Registry): Ports {
  const clock = new SystemClock();
  return {
    store: new PostgresAttachmentStore(postgres),
    tasks: new PostgresTaskStore(postgres),
    ...(redis ? redisPorts(config, redis) : memoryPorts(config, clock)),
    expired: new PostgresExpiredAttachmentStore(postgres),
    outbox: new PostgresOutbox(postgres, publisher),
    bus: nats ? natsEventBus(nats) : new MemoryEventBus(),
    clock,
    ids: new RandomIdSource(),
    metrics: new PrometheusMetrics(registry),
    settings: new CoreSettings(config.instanceId, config.maxAttachmentBytes, config.cacheTtlMs),
  };
}

function redisPorts({ cacheTtlMs, redis }: Config, connection: RedisConnection): Pick<Ports, 'cache' | 'journal'> {
  const keys = new RedisKeys(redis?.cluster ?? false);
  return {
    cache: new RedisAttachmentCache(connection, keys, cacheTtlMs),
    journal: new RedisAttachmentJournal(connection, keys, cacheTtlMs),
  };
}

function memoryPorts({ cacheTtlMs: ttlMs, store }: Config, clock: SystemClock): Pick<Ports, 'cache' | 'journal'> {
  const isStoreShared = store.kind === 'postgres';
  return {
    cache: new MemoryAttachmentCache(clock, { ttlMs, ...MEMORY_CACHE_LIMITS, isStoreShared }),
    journal: new NoAttachmentJournal(),
  };
}

/** What is embedded cannot be away. */
function withBreakerOf(config: Config, connections: Connections, breakers: Breakers): WithBreaker {
  const servers = new Set<string>(storeServers(config, connections).map(({ name }) => name));
  return (store, method, port) => (servers.has(store) ? breakers.guard(store, method, port) : port);
}

function storeServers(
  { store }: Config,
  { postgres, redis }: Connections,
): readonly (PostgresConnection | RedisConnection)[] {
  return [...(store.kind === 'postgres' ? [postgres] : []), ...(redis ? [redis] : [])];
}

function rateLimits({ rateLimits: { perMinute, perMethod } }: Config, { redis }: Connections): ThrottlerModuleOptions {
  const local = new MemoryRateLimits({ maxWindows: MAX_RATE_WINDOWS });
  const shared = redis && new RedisRateLimits(redis.client, local);
  return rateLimitOptions(new RateLimitRules(perMinute, perMethod), shared ?? local);
}

function natsEventBus({ client }: NatsConnection): NatsEventBus {
  const logger = new Logger(NatsEventBus.name);
  const onPlain = () =>
    logger.warn('JETSTREAM IS NOT ENABLED on this NATS server: whoever is not listening will miss events for good');
  return new NatsEventBus({ client, onPlain });
}

/** What operators see of the process, and what it does by itself. */
function operations(config: Config, connections: Connections, registry: Registry, breakers: Breakers): Provider[] {
  const { redis, nats } = connections;
  const stores = storeServers(config, connections);
  collectDefaultMetrics({ register: registry });
  redis?.client.on('ready', () => breakers.recovered('redis'));
  return [
    { provide: Registry, useValue: registry },
    { provide: DependencyWatch, useValue: new DependencyWatch([...stores, ...(nats ? [nats] : [])], breakers) },
    Lifecycle,
    { provide: LoadShedder, useValue: new LoadShedder(config) },
    wire(CallDurations, Registry),
    wire(BackgroundJobs, DrainJournal, ProjectChanges, PublishEvents, SweepExpired, ReportBacklog, PurgeHistory),
  ];
}
