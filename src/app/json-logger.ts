import type { LoggerService } from '@nestjs/common';
import pino from 'pino';
import type { CallIds } from '../inbound/correlation/call-ids';
import type { LogLevel } from './log-level';
import { logOutput } from './log-output';

/**
 * Nest names its contexts after its classes. There it says which modules, routes and transports it has set up: news to
 * developers of the service only. News of ours has a context that begins with a small letter.
 */
const NEST_CONTEXT = /^[A-Z_]/;

/** JSON lines, to the standard output by default. What is logged are messages and stacks, never what a caller sent. */
export class JsonLogger implements LoggerService {
  private readonly pino: pino.Logger;

  constructor(level: LogLevel, instanceId: string, destination: pino.DestinationStream = logOutput()) {
    this.pino = pino({ level, base: { instanceId }, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  }

  get level(): LogLevel {
    return this.pino.level as LogLevel;
  }

  set level(level: LogLevel) {
    this.pino.level = level;
  }

  log(message: unknown, ...rest: unknown[]): void {
    if (NEST_CONTEXT.test(String(rest.at(-1)))) this.debug(message, ...rest);
    else this.pino.info(fields(rest), text(message));
  }

  /** Nest passes a stack, then the context, behind the message; the ids of a call may come between these. */
  error(message: unknown, ...rest: unknown[]): void {
    const stack =
      message instanceof Error ? message.stack : rest.length > 1 && !isCallIds(rest[0]) ? rest[0] : undefined;
    this.pino.error({ ...fields(rest), stack }, text(message));
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.pino.warn(fields(rest), text(message));
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.pino.debug(fields(rest), text(message));
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.pino.trace(fields(rest), text(message));
  }
}

function fields(rest: readonly unknown[]): { context?: unknown; traceId?: string; requestId?: string } {
  const { traceId, requestId } = rest.find(isCallIds) ?? {};
  return { context: rest.at(-1), traceId, requestId };
}

/** Of a call that has ended long ago only the trace may be known. */
function isCallIds(given: unknown): given is Partial<CallIds> {
  return typeof given === 'object' && given !== null && ('requestId' in given || 'traceId' in given);
}

function text(message: unknown): string {
  if (message instanceof Error) return message.message;
  return typeof message === 'string' ? message : 'unexpected log message';
}
