import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule, type Connections } from './app.module';
import { causeOf } from './cause-of';
import { ConfigError, loadConfig, type Config } from './config';
import { CACHE_TIMEOUT_MS } from '../core/ports/time-limits';
import { IsForeignTask } from '../core/use-cases/tasks/is-foreign-task';
import { isOutage } from '../core/ports/store-error';
import type { Authenticator } from '../inbound/auth/authenticator';
import { BackgroundJobs } from '../inbound/background/background-jobs';
import { DependencyWatch } from '../inbound/health/dependency-watch';
import { PING_TIMEOUT_MS } from '../inbound/health/dependency';
import { Lifecycle } from '../inbound/health/lifecycle';
import { JsonRpcHttpStrategy } from '../inbound/http/json-rpc-http.strategy';
import { refuseUndecodableUrl, TasksRestStrategy } from '../inbound/http/tasks-rest.strategy';
import { JsonRpcNatsStrategy } from '../inbound/nats/json-rpc-nats.strategy';
import { CallDurations } from '../inbound/json-rpc/call-durations';
import { LoadShedder } from '../inbound/load/load-shedder';
import { isMethod } from '../inbound/methods/role.guard';
import { JsonLogger } from './json-logger';
import { openAuthenticator } from './open-authenticator';
import { openDatabase } from './open-database';
import { holdsCredentials } from '../outbound/nats/credentials-file';
import { NatsConnection } from '../outbound/nats/nats-connection';
import { runMigrations } from '../outbound/postgres/migrate';
import type { Database } from '../outbound/postgres/database';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { PublisherSession } from '../outbound/postgres/publisher-session';
import { RedisConnection } from '../outbound/redis/redis-connection';

const MIGRATION_RETRY_MS = 1000;
/** How long the start waits for Redis, so that the first calls need not go past it. */
const REDIS_HEAD_START_MS = 1000;
/** How long probes can still ask a process that has nothing left to do, and hear that it is not ready. */
const SHUTDOWN_GRACE_MS = 500;
/** Whatever hangs then, or has failed to close, the orchestrator must not have to kill this process. */
const SHUTDOWN_LIMIT_MS = 14_000;
/** A client that neither finishes its request nor goes away is cut off then; a call itself ends in five seconds. */
const SHUTDOWN_PATIENCE_MS = 10_000;

export async function serve(): Promise<void> {
  const config = loadConfig();
  await refuseUnusable(config);
  const logger = new JsonLogger(config.logLevel, config.instanceId);
  process.on('unhandledRejection', (reason) => logger.error(reason, 'unhandledRejection'));

  const authenticator = openAuthenticator(config, logger);
  const database = await openDatabase(config);
  const connections = connect(config, database, logger);
  const { app, finishCalls } = await createApp(config, connections, authenticator, logger);
  stopOnSignal(app, finishCalls, connections, logger);

  const migration = migrateUntilDone(database, app, connections, logger);
  // The embedded database has one session: nobody is to come between it and its schema.
  if (config.store.kind === 'embedded') await migration;
  await connections.redis?.waitUntilReady(REDIS_HEAD_START_MS).catch(() => undefined);
  app.get(LoadShedder).watchEventLoop();
  app.get(DependencyWatch).start();
  await app.listen(config.port, config.host);
  logger.log(`listening on ${await app.getUrl()}`, 'main');
  await migration;
  if (!app.get(Lifecycle).isStopping) app.get(BackgroundJobs).start();
}

/** Before anything is opened or logged, so that the operator reads one line. Throws `ConfigError`. */
async function refuseUnusable({ rateLimits, nats, host, port }: Config): Promise<void> {
  const unknown = [...rateLimits.perMethod.keys()].find((method) => !isMethod(method));
  if (unknown !== undefined) throw new ConfigError(`RATE_LIMITS names a method that does not exist: ${unknown}`);
  if (nats?.credsFile !== undefined && !holdsCredentials(nats.credsFile)) {
    throw new ConfigError(`NATS_CREDS must be a file that holds credentials, is ${JSON.stringify(nats.credsFile)}`);
  }
  const server = createServer().listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new ConfigError(`HOST ${host} and PORT ${port} cannot be listened on: ${causeOf(error)}`);
  }
  await once(server.close(), 'close');
}

function connect(config: Config, database: Database, logger: JsonLogger): Connections {
  const onChange = (server: string) => (state: 'up' | 'down', cause?: Error) =>
    state === 'up'
      ? logger.log('connected', server)
      : logger.warn(`not connected: ${cause?.message ?? 'connection closed'}`, server);
  const redis: RedisConnection | undefined =
    config.redis &&
    new RedisConnection({
      url: config.redis.url,
      isCluster: config.redis.cluster,
      commandTimeoutMs: CACHE_TIMEOUT_MS,
      onChange: (state, cause) => {
        onChange('redis')(state, cause);
        if (state === 'up')
          void redis?.unfitness(PING_TIMEOUT_MS).then((reason) => reason && logger.warn(reason, 'redis'));
      },
    });
  const clientName = `dossier ${config.instanceId}`;
  const nats = config.nats && new NatsConnection({ ...config.nats, clientName, onChange: onChange('nats') });
  redis?.connect();
  nats?.connect();
  const publisher = config.store.kind === 'postgres' ? new PublisherSession(config.store.url) : undefined;
  return { postgres: new PostgresConnection(database), publisher, redis, nats };
}

async function createApp(config: Config, connections: Connections, authenticator: Authenticator, logger: JsonLogger) {
  const adapter = new FastifyAdapter({
    trustProxy: [...config.trustedProxies],
    frameworkErrors: refuseUndecodableUrl,
  });
  const module = AppModule.register(config, connections, authenticator);
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    logger,
    bodyParser: false,
    abortOnError: false,
  });
  const { maxBodyBytes, instanceId } = config;
  const durations = app.get(CallDurations);
  const [lifecycle, load] = [app.get(Lifecycle), app.get(LoadShedder)];
  const fastify = adapter.getInstance();
  const overHttp = new JsonRpcHttpStrategy(fastify, { maxBodyBytes }, authenticator, lifecycle, load, durations);
  const overRest = new TasksRestStrategy(fastify, authenticator, app.get(IsForeignTask), lifecycle, load, durations);
  for (const strategy of [overHttp, overRest]) app.connectMicroservice({ strategy }, { inheritAppConfig: true });
  if (connections.nats) {
    const options = { maxBodyBytes, instanceId, version: packageVersion() };
    const overNats = new JsonRpcNatsStrategy(connections.nats.client, options, authenticator, load, durations);
    app.connectMicroservice({ strategy: overNats }, { inheritAppConfig: true });
  }
  await app.startAllMicroservices();
  return { app, finishCalls: () => Promise.all([overHttp.close(), overRest.close()]) };
}

/**
 * The start is complete when the schema is there. A server that cannot be reached is waited for: where there is Redis,
 * calls are served meanwhile from what it knows, and from its journal, as in any other outage.
 */
async function migrateUntilDone(
  database: Database,
  app: NestFastifyApplication,
  { postgres, redis }: Connections,
  logger: JsonLogger,
): Promise<void> {
  const lifecycle = app.get(Lifecycle);
  let warning: string | undefined;
  while (!lifecycle.isStopping) {
    try {
      for (const name of await runMigrations(database)) logger.log(`migrated: ${name}`, 'postgres');
      if (warning !== undefined) logger.log('the schema is there', 'postgres');
      postgres.admit();
      lifecycle.started();
      return;
    } catch (error) {
      const servesWithout = redis !== undefined && isOutage(error);
      if (servesWithout) {
        postgres.refuse();
        app.get(BackgroundJobs).startReport();
        lifecycle.started();
      }
      const known = warning;
      warning = `cannot migrate yet${servesWithout ? ', serving without PostgreSQL' : ''}: ${causeOf(error)}`;
      if (warning !== known) logger.warn(warning, 'postgres');
      await sleep(MIGRATION_RETRY_MS, undefined, { ref: false });
    }
  }
}

function stopOnSignal(
  app: NestFastifyApplication,
  finishCalls: () => Promise<unknown>,
  connections: Connections,
  logger: JsonLogger,
): void {
  const { postgres, publisher, redis, nats } = connections;
  const giveUp = (error: unknown) => {
    logger.error(error, 'main');
    process.exit(1);
  };
  const stop = async (signal: string) => {
    logger.log(`${signal}: finishing what is in flight`, 'main');
    app.get(Lifecycle).stopping();
    const server = app.getHttpServer() as { closeAllConnections(): void };
    setTimeout(() => server.closeAllConnections(), SHUTDOWN_PATIENCE_MS).unref();
    setTimeout(() => giveUp(new Error('the shutdown takes too long')), SHUTDOWN_LIMIT_MS).unref();
    // Closing begins with the listening socket: until then probes are answered.
    await Promise.all([finishCalls(), sleep(SHUTDOWN_GRACE_MS)]);
    await app.close();
    await Promise.all([postgres.close(), publisher?.close(), redis?.close(), nats?.close()]);
    logger.log('stopped', 'main');
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal).catch(giveUp));
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8')) as { version: string };
  return version;
}
