import { Logger } from '@nestjs/common';
import type { CallIds } from '../correlation/call-ids';
import { BoundedLog } from '../load/bounded-log';

/** These have lines of their own, which say what is wrong with the credential. */
const LOGGED_ELSEWHERE = ['unauthorized', 'key_set_unavailable'];

/**
 * What is refused, at a bounded rate for each reason; and, at the level debug, each call. Names no value of a caller.
 */
export class CallLog {
  private readonly logger = new Logger('calls');
  private readonly refusals = new Map<string, BoundedLog>();
  /** Whether each call gets a line: to be switched together with the level of the log. */
  logsCalls = false;

  /** `reason` is one of few words. */
  refused(reason: string, ids?: CallIds): void {
    if (LOGGED_ELSEWHERE.includes(reason)) return;
    let log = this.refusals.get(reason);
    if (!log) {
      log = new BoundedLog((line, ofCall) => this.logger.warn(line, ofCall));
      this.refusals.set(reason, log);
    }
    log.add(`refused: ${reason}`, ids);
  }

  ended(method: string, transport: string, outcome: string, durationMs: number, ids?: CallIds): void {
    this.logger.debug(`${method} over ${transport}: ${outcome} in ${durationMs.toFixed(1)} ms`, ids);
  }
}
