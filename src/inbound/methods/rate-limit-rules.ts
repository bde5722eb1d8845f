import { rpcMethod } from './rpc-method';

const MINUTE_MS = 60_000;

export interface RateLimit {
  /** Calls of one caller in one window; 0 for no limit. */
  readonly limit: number;
  readonly windowMs: number;
}

/** Of HTTP endpoints that are no methods. A reader opens its stream again each time that a connection breaks. */
const NEVER_LIMITED: readonly string[] = ['events'];

/** How often a caller may call each method. */
export class RateLimitRules {
  constructor(
    /** Of each method without a rule of its own; 0 for no limit. */
    private readonly perMinute: number,
    private readonly perMethod: ReadonlyMap<string, RateLimit>,
  ) {}

  /** Undefined if the method is not limited. */
  of(method: string): RateLimit | undefined {
    if (NEVER_LIMITED.includes(method)) return undefined;
    const rule = this.perMethod.get(method) ?? {
      limit: rpcMethod(method)?.callsPerMinute ?? this.perMinute,
      windowMs: MINUTE_MS,
    };
    return rule.limit > 0 ? rule : undefined;
  }
}
