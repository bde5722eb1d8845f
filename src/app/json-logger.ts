import type { LoggerService } from '@nestjs/common';
import pino from 'pino';
import type { LogLevel } from './config';

/**
 * Nest names its contexts after its classes. There it says which modules, routes and transports it has set up: news to
 * developers of the service only. News of ours has a context that begins with a small letter.
 */
const NEST_CONTEXT = /^[A-Z_]/;

/** JSON lines, to the standard output by default. What is logged are messages and stacks, never what a caller sent. */
export class JsonLogger implements LoggerService {
  private readonly pino: pino.Logger;

  constructor(level: LogLevel, instanceId: string, destination: pino.DestinationStream = pino.destination(1)) {
    this.pino = pino({ level, base: { instanceId }, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  }

  log(message: unknown, ...rest: unknown[]): void {
    if (NEST_CONTEXT.test(String(rest.at(-1)))) this.debug(message, ...rest);
    else this.pino.info(fields(rest), text(message));
  }

  /** Nest passes a stack, then the context, behind the message. */
  error(message: unknown, ...rest: unknown[]): void {
    const stack = message instanceof Error ? message.stack : rest.length > 1 ? rest[0] : undefined;
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

function fields(rest: readonly unknown[]): { context?: unknown } {
  return { context: rest.at(-1) };
}

function text(message: unknown): string {
  if (message instanceof Error) return message.message;
  return typeof message === 'string' ? message : 'unexpected log message';
}
