/** At least 0, below 1. */
export type Random = () => number;

export interface Backoff {
  /** Before the first repetition; doubles with each. */
  readonly firstMs: number;
  readonly longestMs: number;
}

/**
 * How long to wait before the repetition number `attempt`, counted from 1: a random part of a time that doubles, so
 * that clients which failed together do not come back together. Never less than the service asks for.
 */
export function delayMs(
  attempt: number,
  { firstMs, longestMs }: Backoff,
  random: Random,
  askedForMs: number | undefined,
): number {
  if (askedForMs !== undefined) return askedForMs + random() * firstMs;
  return random() * Math.min(longestMs, firstMs * 2 ** (attempt - 1));
}

/** `Retry-After`, in seconds or as a date. Undefined if it is missing, or is neither. */
export function retryAfterMs(header: string | null, nowMs = Date.now()): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const dateMs = Date.parse(header);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}
