const STREAM = 'TASK_EVENTS';

/** The names of one deployment on a NATS account that several share: each begins with the prefix, if there is one. */
export class NatsNames {
  readonly stream: string;

  constructor(private readonly prefix?: string) {
    // The name of a stream has no dots.
    this.stream = prefix === undefined ? STREAM : `${prefix}-${STREAM}`;
  }

  subject(name: string): string {
    return this.prefix === undefined ? name : `${this.prefix}.${name}`;
  }
}
