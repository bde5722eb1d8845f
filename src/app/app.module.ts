import { Module, type DynamicModule, type FactoryProvider, type Provider } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { ThrottlerModule } from '@nestjs/throttler';
import type { FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';
import { IsForeignTask } from '../core/use-cases/tasks/is-foreign-task';
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
import { JsonRpcHttpStrategy } from '../inbound/http/json-rpc-http.strategy';
import { TasksRestStrategy } from '../inbound/http/tasks-rest.strategy';
import { CallDurations } from '../inbound/json-rpc/call-durations';
import { LoadShedder } from '../inbound/load/load-shedder';
import { AttachmentsRpc } from '../inbound/methods/attachments.rpc';
import { rateLimitOptions } from '../inbound/methods/rate-limit.guard';
import { RateLimitRules } from '../inbound/methods/rate-limit-rules';
import { RateLimits } from '../inbound/methods/rate-limits';
import { TasksRpc } from '../inbound/methods/tasks.rpc';
import { JsonRpcNatsStrategy } from '../inbound/nats/json-rpc-nats.strategy';
import { Breakers } from '../outbound/breakers/breakers';
import { NatsConnection } from '../outbound/nats/nats-connection';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { RedisConnection } from '../outbound/redis/redis-connection';
import type { Config } from './config';
import { openAuthenticator } from './open-authenticator';
import { openDatabase } from './open-database';
import { packageVersion } from './package-version';
import { RateLimitsModule } from './rate-limits.module';
import { Shutdown } from './shutdown';
import { StartUp } from './start-up';
import { UseCasesModule } from './use-cases.module';

type Token<T> = abstract new (...args: never[]) => T;

/** Provides a class by its constructor; a dependency that is missing or in the wrong place does not compile. */
function wire<Dependencies extends unknown[], T>(
  target: new (...dependencies: Dependencies) => T,
  ...tokens: { [Index in keyof Dependencies]: Token<Dependencies[Index]> }
): FactoryProvider<T> {
  return {
    provide: target,
    useFactory: (...given: Dependencies) => new target(...given),
    inject: tokens as Token<unknown>[],
  };
}

/** The service: what drives it, on top of its use cases and their adapters. */
@Module({})
export class AppModule {
  /** Throws `ConfigError` if the data directory or the key file cannot be used. */
  static async register(config: Config): Promise<DynamicModule> {
    const authenticator = openAuthenticator(config);
    const { perMinute, perMethod } = config.rateLimits;
    const rules = new RateLimitRules(perMinute, perMethod);
    return {
      module: AppModule,
      imports: [
        UseCasesModule.register(config, await openDatabase(config)),
        TerminusModule.forRoot({ logger: false }),
        ThrottlerModule.forRootAsync({
          imports: [RateLimitsModule],
          inject: [RateLimits],
          useFactory: (rateLimits: RateLimits) => rateLimitOptions(rules, rateLimits),
        }),
      ],
      controllers: [AttachmentsRpc, TasksRpc, HealthController, MetricsController, EventsController],
      providers: [
        { provide: Authenticator, useValue: authenticator },
        Lifecycle,
        { provide: LoadShedder, useValue: new LoadShedder(config) },
        wire(CallDurations, Registry),
        wire(BackgroundJobs, DrainJournal, ProjectChanges, PublishEvents, SweepExpired, ReportBacklog, PurgeHistory),
        dependencyWatch(config),
        ...strategies(config),
        {
          provide: StartUp,
          useFactory: (...given: ConstructorParameters<typeof StartUp>) => new StartUp(...given),
          inject: [
            PostgresConnection,
            Lifecycle,
            LoadShedder,
            DependencyWatch,
            BackgroundJobs,
            optional(RedisConnection),
          ],
        },
        {
          provide: Shutdown,
          useFactory: (lifecycle: Lifecycle, rpc: JsonRpcHttpStrategy, rest: TasksRestStrategy) =>
            new Shutdown(lifecycle, [rpc, rest]),
          inject: [Lifecycle, JsonRpcHttpStrategy, TasksRestStrategy],
        },
      ],
    };
  }
}

/** Watches the servers that are configured: what is embedded cannot be unavailable. */
function dependencyWatch({ store }: Config): Provider {
  return {
    provide: DependencyWatch,
    useFactory: (breakers: Breakers, postgres: PostgresConnection, redis?: RedisConnection, nats?: NatsConnection) => {
      redis?.client.on('ready', () => breakers.recovered('redis'));
      const servers = [store.kind === 'postgres' ? postgres : undefined, redis, nats];
      return new DependencyWatch(
        servers.filter((server) => server !== undefined),
        breakers,
      );
    },
    inject: [Breakers, PostgresConnection, optional(RedisConnection), optional(NatsConnection)],
  };
}

function strategies({ maxBodyBytes, instanceId, nats }: Config): Provider[] {
  const fastifyOf = ({ httpAdapter }: HttpAdapterHost) => httpAdapter.getInstance<FastifyInstance>();
  const natsOptions = { maxBodyBytes, instanceId, version: packageVersion() };
  return [
    {
      provide: JsonRpcHttpStrategy,
      useFactory: (
        host: HttpAdapterHost,
        who: Authenticator,
        life: Lifecycle,
        load: LoadShedder,
        took: CallDurations,
      ) => new JsonRpcHttpStrategy(fastifyOf(host), { maxBodyBytes }, who, life, load, took),
      inject: [HttpAdapterHost, Authenticator, Lifecycle, LoadShedder, CallDurations],
    },
    {
      provide: TasksRestStrategy,
      useFactory: (
        host: HttpAdapterHost,
        who: Authenticator,
        isForeignTask: IsForeignTask,
        life: Lifecycle,
        load: LoadShedder,
        took: CallDurations,
      ) => new TasksRestStrategy(fastifyOf(host), who, isForeignTask, life, load, took),
      inject: [HttpAdapterHost, Authenticator, IsForeignTask, Lifecycle, LoadShedder, CallDurations],
    },
    ...(nats
      ? [
          {
            provide: JsonRpcNatsStrategy,
            useFactory: (nats: NatsConnection, who: Authenticator, load: LoadShedder, took: CallDurations) =>
              new JsonRpcNatsStrategy(nats.client, natsOptions, who, load, took),
            inject: [NatsConnection, Authenticator, LoadShedder, CallDurations],
          },
        ]
      : []),
  ];
}

function optional<T>(token: Token<T>) {
  return { token, optional: true };
}
