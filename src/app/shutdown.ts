import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Lifecycle } from '../inbound/health/lifecycle';
import type { Acceptors } from '../inbound/http/acceptors';
import type { JsonRpcHttpStrategy } from '../inbound/http/json-rpc-http.strategy';
import type { StopSignals } from './stop-signals';

/** How long a process that has nothing left to do still answers probes, and says that it is not ready. */
const GRACE_MS = 500;
/**
 * From the signal until the process ends, whatever still hangs: the orchestrator must not have to kill it. After a long
 * delay, what is in flight still gets the time that a call may take.
 */
const LIMIT_MS = 14_000;
const LEAST_LIMIT_MS = 9000;
/** A client that neither finishes its request nor disconnects is cut off then; a call itself ends in five seconds. */
const PATIENCE_MS = 10_000;
const LEAST_PATIENCE_MS = 6000;

/** Ends the process in order: not ready first, then every call that was taken, then the connections. */
export class Shutdown {
  private readonly logger = new Logger('main');

  constructor(
    private readonly lifecycle: Lifecycle,
    private readonly overHttp: JsonRpcHttpStrategy,
    /** Calls are served for this long after the signal: until then, load balancers may send some. */
    private readonly delayMs: number,
  ) {}

  onSignal(signals: StopSignals, app: NestFastifyApplication, acceptors: Acceptors): void {
    signals.onStop((signal) => void this.run(app, acceptors, signal).catch((error) => this.giveUp(error)));
  }

  private async run(app: NestFastifyApplication, acceptors: Acceptors, signal: NodeJS.Signals): Promise<void> {
    this.logger.log(`${signal}: finishing what is in flight`);
    this.lifecycle.leaving();
    const server = app.getHttpServer();
    // Before the start is complete, no load balancer sends calls.
    const delayMs = this.lifecycle.hasStarted ? this.delayMs : 0;
    if (delayMs > 0) await sleep(delayMs);
    const cutOff = () => server.closeAllConnections();
    setTimeout(cutOff, Math.max(PATIENCE_MS - delayMs, LEAST_PATIENCE_MS)).unref();
    const giveUp = () => this.giveUp(new Error('the shutdown takes too long'));
    setTimeout(giveUp, Math.max(LIMIT_MS - delayMs, LEAST_LIMIT_MS)).unref();
    if (delayMs > 0) {
      server.close();
      void acceptors.close();
    }
    this.lifecycle.stopping();
    // Without a delay, probes get replies until the listening socket closes.
    await Promise.all([this.overHttp.close(), sleep(delayMs > 0 ? 0 : GRACE_MS)]);
    await Promise.all([app.close(), acceptors.close()]);
    this.logger.log('stopped');
    process.exit(0);
  }

  private giveUp(error: unknown): never {
    this.logger.error(error);
    process.exit(1);
  }
}
