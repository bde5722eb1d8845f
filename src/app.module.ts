import { Logger, Module, type DynamicModule, type FactoryProvider, type Provider } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ThrottlerModule, type ThrottlerModuleOptions } from '@nestjs/throttler';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Config } from './config';
import { AttachmentCache } from './core/ports/attachment-cache';
import { AttachmentStore } from './core/ports/attachment-store';
import { Clock } from './core/ports/clock';
import type { Dependency } from './core/ports/dependency';
import { EventBus } from './core/ports/event-bus';
import { ExpiredAttachmentStore } from './core/ports/expired-attachment-store';
import { IdSource } from './core/ports/id-source';
import { Metrics } from './core/ports/metrics';
import { Outbox } from './core/ports/outbox';
import { TaskStore } from './core/ports/task-store';
import { CoreSettings } from './core/settings';
import { AttachmentLookup } from './core/use-cases/attachment-lookup';
import { CancelTask } from './core/use-cases/cancel-task';
import { CompleteTask } from './core/use-cases/complete-task';
import { CreateAttachment } from './core/use-cases/create-attachment';
import { CreateTask } from './core/use-cases/create-task';
import { DeleteAttachment } from './core/use-cases/delete-attachment';
import { DeleteTask } from './core/use-cases/delete-task';
import { FollowEvents } from './core/use-cases/follow-events';
import { GetAttachment } from './core/use-cases/get-attachment';
import { GetAttachmentsBatch } from './core/use-cases/get-attachments-batch';
import { GetTask } from './core/use-cases/get-task';
import { IndexFiller } from './core/use-cases/index-filler';
import { IsForeignTask } from './core/use-cases/is-foreign-task';
import { ListAttachments } from './core/use-cases/list-attachments';
import { ListTasks } from './core/use-cases/list-tasks';
import { PublishEvents } from './core/use-cases/publish-events';
import { PurgeHistory } from './core/use-cases/purge-history';
import { ReportBacklog } from './core/use-cases/report-backlog';
import { SweepExpired } from './core/use-cases/sweep-expired';
import { UpdateTask } from './core/use-cases/update-task';
import { Authenticator } from './inbound/auth/authenticator';
import { BackgroundJobs } from './inbound/background/background-jobs';
import { DependencyCheck } from './inbound/health/dependency-check';
import { HealthController } from './inbound/health/health.controller';
import { Lifecycle } from './inbound/health/lifecycle';
import { MetricsController } from './inbound/health/metrics.controller';
import { EventsController } from './inbound/http/events.controller';
import { AttachmentsRpc } from './inbound/rpc/attachments.rpc';
import { CallDurations } from './inbound/rpc/call-durations';
import { LoadShedder } from './inbound/rpc/load-shedder';
import { rateLimitOptions } from './inbound/rpc/rate-limit.guard';
import { RateLimitRules } from './inbound/rpc/rate-limit-rules';
import { TasksRpc } from './inbound/rpc/tasks.rpc';
import { MemoryAttachmentCache } from './outbound/memory/memory-attachment-cache';
import { MemoryEventBus } from './outbound/memory/memory-event-bus';
import { MemoryRateLimits } from './outbound/memory/memory-rate-limits';
import type { NatsConnection } from './outbound/nats/nats-connection';
import { NatsEventBus } from './outbound/nats/nats-event-bus';
import { PostgresAttachmentStore } from './outbound/postgres/postgres-attachment-store';
import type { PostgresConnection } from './outbound/postgres/postgres-connection';
import { PostgresExpiredAttachmentStore } from './outbound/postgres/postgres-expired-attachment-store';
import { PostgresOutbox } from './outbound/postgres/postgres-outbox';
import { PostgresTaskStore } from './outbound/postgres/postgres-task-store';
import type { PublisherSession } from './outbound/postgres/publisher-session';
import { PrometheusMetrics } from './outbound/prometheus/prometheus-metrics';
import { RedisAttachmentCache } from './outbound/redis/redis-attachment-cache';
import { RedisKeys } from './outbound/redis/redis-keys';
import { RedisRateLimits } from './outbound/redis/redis-rate-limits';
import type { RedisConnection } from './outbound/redis/redis-connection';
import { RandomIdSource } from './outbound/system/random-id-source';
import { SystemClock } from './outbound/system/system-clock';

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

const USE_CASES: Provider[] = [
  wire(AttachmentLookup, AttachmentStore, AttachmentCache, Clock, Metrics),
  wire(IndexFiller, AttachmentStore, AttachmentCache, Clock),
  wire(CreateAttachment, AttachmentStore, AttachmentCache, Clock, IdSource, Metrics, CoreSettings),
  wire(GetAttachment, AttachmentLookup),
  wire(GetAttachmentsBatch, AttachmentLookup),
  wire(ListAttachments, AttachmentStore, AttachmentCache, Clock, Metrics, IndexFiller),
  wire(DeleteAttachment, AttachmentStore, AttachmentCache, Clock, IdSource),
  wire(CreateTask, TaskStore, AttachmentCache, Clock, IdSource, Metrics, CoreSettings),
  wire(GetTask, TaskStore, Clock),
  wire(UpdateTask, TaskStore, Clock, IdSource),
  wire(CompleteTask, TaskStore, AttachmentCache, Clock, IdSource, Metrics, CoreSettings),
  wire(CancelTask, TaskStore, Clock, IdSource),
  wire(ListTasks, TaskStore, Clock),
  wire(IsForeignTask, TaskStore),
  wire(DeleteTask, TaskStore, AttachmentCache, Clock, IdSource, CoreSettings),
  wire(PublishEvents, Outbox, EventBus, Metrics),
  wire(FollowEvents, Outbox),
  wire(SweepExpired, ExpiredAttachmentStore, AttachmentCache, Clock),
  wire(ReportBacklog, Outbox, Metrics),
  wire(PurgeHistory, Outbox, ExpiredAttachmentStore, Clock),
];

/** The composition root: the only place that knows every room of the house. */
@Module({})
export class AppModule {
  static register(config: Config, connections: Connections, authenticator: Authenticator): DynamicModule {
    return {
      module: AppModule,
      imports: [TerminusModule.forRoot({ logger: false }), ThrottlerModule.forRoot(rateLimits(config, connections))],
      controllers: [AttachmentsRpc, TasksRpc, HealthController, MetricsController, EventsController],
      providers: [
        ...USE_CASES,
        ...ports(config, connections),
        ...operations(config, connections),
        { provide: Authenticator, useValue: authenticator },
      ],
    };
  }
}

function ports(config: Config, { postgres, publisher, redis, nats }: Connections): Provider[] {
  const clock = new SystemClock();
  const cache = redis
    ? new RedisAttachmentCache(redis.client, new RedisKeys(config.redis?.cluster ?? false), config.cacheTtlMs)
    : new MemoryAttachmentCache(clock, { ttlMs: config.cacheTtlMs, ...MEMORY_CACHE_LIMITS });
  return [
    { provide: AttachmentStore, useValue: new PostgresAttachmentStore(postgres) },
    { provide: TaskStore, useValue: new PostgresTaskStore(postgres) },
    { provide: AttachmentCache, useValue: cache },
    { provide: ExpiredAttachmentStore, useValue: new PostgresExpiredAttachmentStore(postgres) },
    { provide: Outbox, useValue: new PostgresOutbox(postgres, publisher) },
    { provide: EventBus, useValue: nats ? natsEventBus(nats) : new MemoryEventBus() },
    { provide: Clock, useValue: clock },
    { provide: IdSource, useValue: new RandomIdSource() },
    { provide: CoreSettings, useValue: new CoreSettings(config.instanceId, config.maxAttachmentBytes) },
    { provide: Metrics, useFactory: (registry: Registry) => new PrometheusMetrics(registry), inject: [Registry] },
  ];
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

/** What operators see of the process. */
function operations(config: Config, { postgres, redis, nats }: Connections): Provider[] {
  const servers: Dependency[] = config.store.kind === 'postgres' ? [postgres] : [];
  if (redis) servers.push(redis);
  if (nats) servers.push(nats);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return [
    { provide: Registry, useValue: registry },
    { provide: DependencyCheck, useValue: new DependencyCheck(servers) },
    Lifecycle,
    { provide: LoadShedder, useValue: new LoadShedder(config) },
    wire(CallDurations, Registry),
    wire(BackgroundJobs, PublishEvents, SweepExpired, ReportBacklog, PurgeHistory),
  ];
}
