import { Logger, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { Registry } from 'prom-client';
import { Tracing } from '../core/ports/tracing';
import { PublishEvents } from '../core/use-cases/events/publish-events';
import { ContinueDeletions } from '../core/use-cases/upkeep/continue-deletions';
import { DeleteDueTasks } from '../core/use-cases/upkeep/delete-due-tasks';
import { DrainJournal } from '../core/use-cases/upkeep/drain-journal';
import { ProjectChanges } from '../core/use-cases/upkeep/project-changes';
import { PurgeHistory } from '../core/use-cases/upkeep/purge-history';
import { ReportBacklog } from '../core/use-cases/upkeep/report-backlog';
import { SweepExpired } from '../core/use-cases/upkeep/sweep-expired';
import { LogLevels } from '../inbound/admin/log-levels';
import { AuthenticationFailures } from '../inbound/auth/authentication-failures';
import { Authenticator } from '../inbound/auth/authenticator';
import { BackgroundJobs } from '../inbound/background/background-jobs';
import { DocsModule } from '../inbound/docs/docs.module';
import { ServiceFacts } from '../inbound/docs/service-facts';
import { DependencyWatch } from '../inbound/health/dependency-watch';
import { HealthModule } from '../inbound/health/health.module';
import { Lifecycle } from '../inbound/health/lifecycle';
import type { FrontDoorOptions } from '../inbound/http/front-door';
import { HttpModule } from '../inbound/http/http.module';
import { JsonRpcHttpOptions, JsonRpcHttpStrategy } from '../inbound/http/json-rpc-http.strategy';
import { CallDurations } from '../inbound/json-rpc/call-durations';
import { CallLog } from '../inbound/json-rpc/call-log';
import { BoundedLog } from '../inbound/load/bounded-log';
import { LoadShedder } from '../inbound/load/load-shedder';
import { McpModule } from '../inbound/mcp/mcp.module';
import { McpOptions } from '../inbound/mcp/mcp-options';
import { MethodsModule } from '../inbound/methods/methods.module';
import { RateLimitRules } from '../inbound/methods/rate-limit-rules';
import { JsonRpcNatsOptions } from '../inbound/nats/json-rpc-nats.strategy';
import { NatsRequestsModule } from '../inbound/nats/nats-requests.module';
import { Breakers } from '../outbound/breakers/breakers';
import { NatsConnection } from '../outbound/nats/nats-connection';
import { NatsRequestConnection } from '../outbound/nats/nats.module';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { RedisConnection } from '../outbound/redis/redis-connection';
import { isLoopback } from './access-config';
import type { Config } from './config';
import { JsonLogger } from './json-logger';
import { LogLevelSwitch } from './log-level-switch';
import type { McpConfig } from './mcp-config';
import { openAuthenticator } from './open-authenticator';
import { openDatabase } from './open-database';
import { rateLimits } from './open-rate-limits';
import { openTracing } from './open-tracing';
import { packageVersion } from './package-version';
import { ReplicaMetrics } from './replica-metrics';
import { Shutdown } from './shutdown';
import { StartUp } from './start-up';
import { OperatorSurface } from './operator-surface';
import { UseCasesModule } from './use-cases.module';
import { optional, wire } from './wire';

/** The service: what drives it, on top of its use cases and their adapters. Global: it holds what its modules share. */
@Module({})
export class AppModule {
  /** Throws `ConfigError` if the data directory or a key file cannot be used. */
  static async register(
    config: Config,
    logger = new JsonLogger(config.logLevel, config.instanceId),
  ): Promise<DynamicModule> {
    const load = new LoadShedder(config);
    const maxReplyBytes = Math.min(config.maxReplyBytes, load.bytes.maxReplyBytes);
    const { perMinute, perMethod } = config.rateLimits;
    const authenticator = {
      provide: Authenticator,
      useFactory: openAuthenticator(config),
      inject: [AuthenticationFailures],
    };
    const http = HttpModule.register(new JsonRpcHttpOptions(config.maxBodyBytes, maxReplyBytes), frontDoor(config));
    const rules = new RateLimitRules(perMinute, perMethod);
    const tracing = { provide: Tracing, useValue: await openTracing(config) };
    const shared = [
      { provide: LoadShedder, useValue: load },
      tracing,
      ...sharedProviders(config),
      authenticator,
      logLevels(logger),
    ];
    return {
      module: AppModule,
      global: true,
      imports: [
        UseCasesModule.register(config, await openDatabase(config)),
        MethodsModule.register(rules),
        http,
        HealthModule,
        ...(config.mcp ? [McpModule.register(http, mcpOptions(config.mcp))] : []),
        ...(config.docs ? [DocsModule.register(serviceFacts(config, maxReplyBytes))] : []),
        ...[OperatorSurface.register(config, rules)].filter((module) => module !== undefined),
        ...(config.nats ? [natsRequests({ ...config, maxReplyBytes })] : []),
      ],
      providers: [...shared, replicaMetrics(), startUp(config), shutdown(config)],
      exports: shared,
    };
  }
}

/** What several folders use. */
function sharedProviders(config: Config): Provider[] {
  return [
    { provide: CallLog, useValue: new CallLog() },
    wire(CallDurations, Registry, CallLog),
    {
      provide: AuthenticationFailures,
      useFactory: (registry: Registry) => {
        const auth = new Logger('auth');
        return new AuthenticationFailures(registry, new BoundedLog((line, ids) => auth.warn(line, ids)));
      },
      inject: [Registry],
    },
    wire(
      BackgroundJobs,
      DrainJournal,
      ProjectChanges,
      PublishEvents,
      SweepExpired,
      ContinueDeletions,
      DeleteDueTasks,
      ReportBacklog,
      PurgeHistory,
    ),
    dependencyWatch(config),
    rateLimits(config),
  ];
}

function logLevels(logger: JsonLogger): Provider {
  return {
    provide: LogLevels,
    useFactory: (calls: CallLog) =>
      new LogLevelSwitch(logger, (level) => (calls.logsCalls = level === 'debug' || level === 'trace')),
    inject: [CallLog],
  };
}

/** Watches the servers that are configured. */
function dependencyWatch({ store }: Config): Provider {
  return {
    provide: DependencyWatch,
    useFactory: (breakers: Breakers, postgres: PostgresConnection, redis?: RedisConnection, nats?: NatsConnection) => {
      redis?.onReady(() => breakers.recovered('redis'));
      const servers = [store.kind === 'postgres' ? postgres : undefined, redis, nats];
      return new DependencyWatch(
        servers.filter((server) => server !== undefined),
        breakers,
        () => postgres.isRunning,
      );
    },
    inject: [Breakers, PostgresConnection, optional(RedisConnection), optional(NatsConnection)],
  };
}

function needsCredential({ apiKeysFile, accessTokens }: Config): boolean {
  return apiKeysFile !== undefined || accessTokens !== undefined;
}

/** As it stands in a URL: an IPv6 address in brackets. */
function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function serviceFacts(config: Config, maxReplyBytes: number): ServiceFacts {
  const { host, port, maxAttachmentBytes, maxBodyBytes, mcp } = config;
  const nats = config.nats && { prefix: config.nats.prefix };
  const address = `${urlHost(host)}:${port}`;
  const limits = { maxAttachmentBytes, maxBodyBytes, maxReplyBytes };
  return new ServiceFacts(packageVersion(), address, needsCredential(config), limits, nats, mcp !== undefined);
}

function mcpOptions({ allowsTaskDeletion }: McpConfig): McpOptions {
  return new McpOptions(packageVersion(), allowsTaskDeletion);
}

function frontDoor(config: Config): FrontDoorOptions {
  const { host } = config;
  const own = urlHost(host);
  // On another interface the name by which callers reach the service is not known.
  const hosts = (name: string) => isLoopback(name.replace(/^\[(.*)\]$/, '$1')) || name === own.toLowerCase();
  return { ...config, isOpen: !needsCredential(config), hosts: isLoopback(host) ? hosts : undefined };
}

function natsRequests({ maxBodyBytes, maxReplyBytes, instanceId, nats }: Config): DynamicModule {
  return NatsRequestsModule.register({
    useFactory: ({ client }: NatsRequestConnection) =>
      new JsonRpcNatsOptions(
        client,
        maxBodyBytes,
        maxReplyBytes,
        instanceId,
        packageVersion(),
        nats?.inboxPrefix,
        nats?.prefix,
      ),
    inject: [NatsRequestConnection],
  });
}

function shutdown({ shutdownDelayMs }: Config): Provider {
  return {
    provide: Shutdown,
    useFactory: (lifecycle: Lifecycle, overHttp: JsonRpcHttpStrategy) =>
      new Shutdown(lifecycle, overHttp, shutdownDelayMs),
    inject: [Lifecycle, JsonRpcHttpStrategy],
  };
}

function replicaMetrics(): Provider {
  const observed = [PostgresConnection, DependencyWatch, BackgroundJobs, DrainJournal, ProjectChanges] as const;
  return wire(ReplicaMetrics, Registry, ...observed);
}

function startUp({ migrates }: Config): Provider {
  return {
    provide: StartUp,
    useFactory: (
      postgres: PostgresConnection,
      lifecycle: Lifecycle,
      load: LoadShedder,
      watch: DependencyWatch,
      jobs: BackgroundJobs,
      project: ProjectChanges,
      redis?: RedisConnection,
    ) => new StartUp(postgres, lifecycle, load, watch, jobs, project, migrates, redis),
    inject: [
      PostgresConnection,
      Lifecycle,
      LoadShedder,
      DependencyWatch,
      BackgroundJobs,
      ProjectChanges,
      optional(RedisConnection),
    ],
  };
}
