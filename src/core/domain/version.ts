/** 2025-01-01T00:00:00Z; counting from here keeps versions below 2^53 until 2094. */
const EPOCH_MS = 1_735_689_600_000;
export const VERSIONS_PER_MS = 4096;
/** From here on numbers are not exact. */
const VERSION_LIMIT = 2 ** 53;

/** Identifies one attempt to write; every store applies it if its version is higher than what is there. */
export interface WriteStamp {
  /** Positive, even, below 2^53. */
  readonly version: number;
  /** A UUID; also the id of the event that the write causes. */
  readonly op: string;
}

/** Why no write can be made at `nowMs`; undefined if one can. */
export function clockProblem(nowMs: number): string | undefined {
  return versionAt(nowMs + 1) < VERSION_LIMIT
    ? undefined
    : 'the clock of this machine is decades ahead: it gives no version below 2^53';
}

/**
 * The version of a write made at `nowMs`. It follows the clock, or lies above `floor`, the highest version that has
 * refused this request; `jitter` (0 to VERSIONS_PER_MS - 1) is added, so that two versions hardly ever tie. It is even:
 * odd versions belong to the expiry sweep. Throws if the clock has gone too far.
 */
export function mintVersion(nowMs: number, jitter: number, floor: number): number {
  const problem = clockProblem(nowMs);
  if (problem !== undefined) throw new Error(problem);
  const version = Math.max((nowMs - EPOCH_MS) * VERSIONS_PER_MS, floor + 1) + jitter;
  return version % 2 === 0 ? version : version + 1;
}

/**
 * The stamp of the deletion of an expired version. It follows from the expired version, so that one expiry cannot be
 * announced twice; a version by clock could overtake a write that is still under way. The op is that of the expired
 * version, as a UUID of version 8.
 */
export function expiryStamp(expired: WriteStamp): WriteStamp {
  return { version: expired.version + 1, op: `${expired.op.slice(0, 14)}8${expired.op.slice(15)}` };
}

/** When a version was minted, unless it lies above a floor. */
export function mintedAtMs(version: number): number {
  return EPOCH_MS + version / VERSIONS_PER_MS;
}

export function versionAt(epochMs: number): number {
  return (epochMs - EPOCH_MS) * VERSIONS_PER_MS;
}
