import pino from 'pino';

interface LogLine {
  readonly level: number;
  readonly time: string;
  readonly context?: string;
  readonly msg: string;
  readonly traceId?: string;
  readonly requestId?: string;
  readonly stack?: string;
}

/** Turns each JSON line of the log into a line for a terminal. */
export class ReadableLog implements pino.DestinationStream {
  constructor(private readonly output: { write(text: string): unknown }) {}

  write(line: string): void {
    this.output.write(`${readable(JSON.parse(line) as LogLine)}\n`);
  }
}

function readable({ level, time, context, msg, stack, ...ids }: LogLine): string {
  const about = context === undefined || context === 'main' ? '' : `${context}: `;
  const text = `${timeOfDay(time)} ${pino.levels.labels[level] ?? level} ${about}${msg}${namesOf(ids)}`;
  return stack === undefined ? text : `${text}\n${stack}`;
}

function namesOf({ traceId, requestId }: Pick<LogLine, 'traceId' | 'requestId'>): string {
  const names = [requestId && `request ${requestId}`, traceId && `trace ${traceId}`].filter(Boolean);
  return names.length > 0 ? ` [${names.join(', ')}]` : '';
}

/** By the clock of the terminal's reader. */
function timeOfDay(time: string): string {
  return new Date(time).toLocaleTimeString('en-GB');
}
