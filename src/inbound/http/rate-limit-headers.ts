import type { RateLimitStanding } from '../json-rpc/call-context';

/** The headers about rate limits of a reply: they describe the limited call in it that is nearest to its limit. */
export class RateLimitHeaders {
  private nearest?: RateLimitStanding;

  readonly add = (standing: RateLimitStanding): void => {
    if (!this.nearest || isNearer(standing, this.nearest)) this.nearest = standing;
  };

  get headers(): Readonly<Record<string, string>> {
    if (!this.nearest) return {};
    const { limit, remaining, endsInMs, refused } = this.nearest;
    const seconds = String(Math.max(1, Math.ceil(endsInMs / 1000)));
    return {
      'x-ratelimit-limit': String(limit),
      'x-ratelimit-remaining': String(remaining),
      'x-ratelimit-reset': seconds,
      ...(refused && { 'retry-after': seconds }),
    };
  }
}

function isNearer(one: RateLimitStanding, other: RateLimitStanding): boolean {
  if (one.refused !== other.refused) return one.refused;
  if (one.remaining !== other.remaining) return one.remaining < other.remaining;
  return one.endsInMs > other.endsInMs;
}
