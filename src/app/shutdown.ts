import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Lifecycle } from '../inbound/health/lifecycle';
import type { JsonRpcHttpStrategy } from '../inbound/http/json-rpc-http.strategy';

/** How long a process that has nothing left to do still answers probes, and says that it is not ready. */
const GRACE_MS = 500;
/** The process ends then, whatever still hangs: the orchestrator must not have to kill it. */
const LIMIT_MS = 14_000;
/** A client that neither finishes its request nor disconnects is cut off then; a call itself ends in five seconds. */
const PATIENCE_MS = 10_000;

/** Ends the process in order: not ready first, then every call that was taken, then the connections. */
export class Shutdown {
  private readonly logger = new Logger('main');

  constructor(
    private readonly lifecycle: Lifecycle,
    private readonly overHttp: JsonRpcHttpStrategy,
  ) {}

  onSignal(app: NestFastifyApplication): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => void this.run(app, signal).catch((error) => this.giveUp(error)));
    }
  }

  private async run(app: NestFastifyApplication, signal: NodeJS.Signals): Promise<void> {
    this.logger.log(`${signal}: finishing what is in flight`);
    this.lifecycle.stopping();
    const server = app.getHttpServer() as { closeAllConnections(): void };
    setTimeout(() => server.closeAllConnections(), PATIENCE_MS).unref();
    setTimeout(() => this.giveUp(new Error('the shutdown takes too long')), LIMIT_MS).unref();
    // Closing begins with the listening socket: until then probes are answered.
    await Promise.all([this.overHttp.close(), sleep(GRACE_MS)]);
    await app.close();
    this.logger.log('stopped');
    process.exit(0);
  }

  private giveUp(error: unknown): never {
    this.logger.error(error);
    process.exit(1);
  }
}
