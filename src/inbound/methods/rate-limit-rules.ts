const MINUTE_MS = 60_000;

export interface RateLimit {
  /** Calls of one caller in one window; 0 for no limit. */
  readonly limit: number;
  readonly windowMs: number;
}

/** Deletions cannot be undone, so they are limited unless the operator says otherwise. */
const DEFAULTS: ReadonlyMap<string, RateLimit> = new Map([
  ['task.delete_attachment', { limit: 100, windowMs: MINUTE_MS }],
  ['task.delete', { limit: 100, windowMs: MINUTE_MS }],
  // Never limited: a reader opens its stream again each time that a connection breaks.
  ['events', { limit: 0, windowMs: MINUTE_MS }],
]);

/** How often a caller may call each method. */
export class RateLimitRules {
  constructor(
    /** Of each method without a rule of its own; 0 for no limit. */
    private readonly perMinute: number,
    private readonly perMethod: ReadonlyMap<string, RateLimit>,
  ) {}

  /** Undefined if the method is not limited. */
  of(method: string): RateLimit | undefined {
    const rule = this.perMethod.get(method) ?? DEFAULTS.get(method) ?? { limit: this.perMinute, windowMs: MINUTE_MS };
    return rule.limit > 0 ? rule : undefined;
  }
}
