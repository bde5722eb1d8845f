import { FairShare } from '../load/fair-share';

/** Each follower asks the database a few times a second. */
const MAX_FOLLOWERS = 100;
/** Of the places that the others leave, for one caller. */
const PART_OF_CALLER = 3 / 4;

/** The place of one follower. It is over when another caller needs it. */
export class FollowerPlace {
  private readonly ended = new AbortController();

  constructor(readonly caller: string) {}

  get over(): AbortSignal {
    return this.ended.signal;
  }

  end(): void {
    this.ended.abort();
  }
}

/**
 * The places of those that follow events on this replica. While some are free, nobody loses one. When all are taken, a
 * caller with two places fewer than the one with most gets the latest of these: its reader resumes elsewhere, or later.
 * So a few callers cannot keep the others away.
 */
export class FollowerPlaces {
  private readonly shares: FairShare;
  /** In the order in which they were taken. */
  private readonly placesOf = new Map<string, Set<FollowerPlace>>();

  constructor(total = MAX_FOLLOWERS) {
    this.shares = new FairShare(total, PART_OF_CALLER);
  }

  /** Undefined if there is none for the caller. */
  take(caller: string): FollowerPlace | undefined {
    if (this.shares.isExhausted) this.takeFromLargest(caller);
    else if (!this.shares.mayTake(caller, 1)) return undefined;
    if (this.shares.isExhausted) return undefined;
    const place = new FollowerPlace(caller);
    this.shares.add(caller, 1);
    this.placesOf.set(caller, (this.placesOf.get(caller) ?? new Set()).add(place));
    return place;
  }

  /** Whoever has lost the place may give it back, too. */
  giveBack(place: FollowerPlace): void {
    const { caller } = place;
    const places = this.placesOf.get(caller);
    if (!places?.delete(place)) return;
    if (places.size === 0) this.placesOf.delete(caller);
    this.shares.giveBack(caller, 1);
  }

  private takeFromLargest(caller: string): void {
    const largest = [...this.placesOf.values()].reduce((most, places) => (places.size > most.size ? places : most));
    const latest = [...largest].at(-1);
    if (!latest || largest.size < (this.placesOf.get(caller)?.size ?? 0) + 2) return;
    this.giveBack(latest);
    latest.end();
  }
}
