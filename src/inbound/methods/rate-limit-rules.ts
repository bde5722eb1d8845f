const MINUTE_MS = 60_000;

export interface RateLimit {
  /** Calls of one caller in one window; 0 for as many as it likes. */
  readonly limit: number;
  readonly windowMs: number;
}

/** Deletions cannot be undone, so they are limited where nobody says otherwise. */
const DEFAULTS: ReadonlyMap<string, RateLimit> = new Map([
  ['task.delete_attachment', { limit: 100, windowMs: MINUTE_MS }],
  ['task.delete', { limit: 100, windowMs: MINUTE_MS }],
]);

/** How often a caller may call which method. */
export class RateLimitRules {
  constructor(
    /** Of each method that no other rule is for; 0 for no limit. */
    private readonly perMinute: number,
    private readonly perMethod: ReadonlyMap<string, RateLimit>,
  ) {}

  /** Undefined where the method is not limited. */
  of(method: string): RateLimit | undefined {
    const rule = this.perMethod.get(method) ?? DEFAULTS.get(method) ?? { limit: this.perMinute, windowMs: MINUTE_MS };
    return rule.limit > 0 ? rule : undefined;
  }
}
