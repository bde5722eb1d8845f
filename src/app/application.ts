import 'reflect-metadata';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { clockProblem } from '../core/domain/version';
import { LogLevels } from '../inbound/admin/log-levels';
import { Acceptors } from '../inbound/http/acceptors';
import { httpServerOptions } from '../inbound/http/http-server-options';
import { JsonRpcHttpStrategy } from '../inbound/http/json-rpc-http.strategy';
import { rpcMethod } from '../inbound/methods/rpc-method';
import { JsonRpcNatsStrategy } from '../inbound/nats/json-rpc-nats.strategy';
import { holdsCredentials, holdsNkey } from '../outbound/nats/credentials-file';
import { AppModule } from './app.module';
import { causeOf } from './cause-of';
import { loadConfig, type Config } from './config';
import type { DebugSignal } from './debug-signal';
import { descriptorShortage } from './descriptor-shortage';
import { ConfigError } from './environment';
import { JsonLogger } from './json-logger';
import type { LogLevel } from './log-level';
import { logOutput } from './log-output';
import { ReadableLog } from './readable-log';
import { setupLines } from './setup-lines';
import { Shutdown } from './shutdown';
import { StartUp } from './start-up';
import type { StopSignals } from './stop-signals';

/**
 * Serves until a signal ends the process; one that has come before is enough. Throws `ConfigError` before anything is
 * logged.
 */
export async function serve(signals: StopSignals, debugSignal: DebugSignal): Promise<void> {
  const config = loadConfig();
  await refuseUnusable(config);
  if (signals.isStopRequested) return;
  const logger = loggerOf(config);
  Logger.overrideLogger(logger);
  process.on('unhandledRejection', (reason) => logger.error(reason, 'unhandledRejection'));
  for (const line of setupLines(config)) logger.log(line, 'main');
  for (const warning of config.warnings) logger.warn(warning, 'config');
  const shortage = descriptorShortage(config);
  if (shortage !== undefined) logger.warn(shortage, 'main');

  const app = await createApplication(config, logger);
  debugSignal.govern(app.get<LogLevels<LogLevel>>(LogLevels));
  const acceptors = new Acceptors(app.getHttpServer());
  app.get(Shutdown).onSignal(signals, app, acceptors);
  // No transport may take a request before guards and pipes are initialised.
  await app.init();
  await app.startAllMicroservices();
  await app.get(StartUp).run(async () => {
    await app.listen(config.port, config.host);
    void acceptors
      .open()
      .catch((error) => logger.warn(`connections are accepted one in each iteration: ${causeOf(error)}`, 'main'));
    return app.getUrl();
  });
}

function loggerOf({ logLevel, instanceId, logFormat }: Config): JsonLogger {
  const isReadable = logFormat === undefined ? process.stdout.isTTY : logFormat === 'pretty';
  return new JsonLogger(logLevel, instanceId, isReadable ? new ReadableLog(logOutput()) : undefined);
}

async function createApplication(config: Config, logger: JsonLogger): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter(httpServerOptions(config.trustedProxies));
  const app = await NestFactory.create<NestFastifyApplication>(await AppModule.register(config, logger), adapter, {
    logger,
    bodyParser: false,
    abortOnError: false,
  });
  const overHttp = app.get(JsonRpcHttpStrategy);
  const strategies = config.nats ? [overHttp, app.get(JsonRpcNatsStrategy)] : [overHttp];
  for (const strategy of strategies) app.connectMicroservice({ strategy }, { inheritAppConfig: true });
  return app;
}

/** Before anything is opened or logged, so that the operator reads one line. Throws `ConfigError`. */
async function refuseUnusable({ rateLimits, nats, host, port }: Config): Promise<void> {
  const wrongClock = clockProblem(Date.now());
  if (wrongClock !== undefined) throw new ConfigError(wrongClock);
  const unknown = [...rateLimits.perMethod.keys()].find((method) => !rpcMethod(method));
  if (unknown !== undefined) throw new ConfigError(`RATE_LIMITS names a method that does not exist: ${unknown}`);
  if (nats?.credsFile !== undefined && !holdsCredentials(nats.credsFile)) {
    throw new ConfigError(`NATS_CREDS must be a file that holds credentials, is ${JSON.stringify(nats.credsFile)}`);
  }
  if (nats?.nkeyFile !== undefined && !holdsNkey(nats.nkeyFile)) {
    throw new ConfigError(`NATS_NKEY must be a file with the seed of a user, is ${JSON.stringify(nats.nkeyFile)}`);
  }
  const server = createServer().listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new ConfigError(`HOST ${host} and PORT ${port} cannot be listened on: ${causeOf(error)}`);
  }
  await once(server.close(), 'close');
}
