/** What one owner may never take, so that another owner finds a place at once. */
const RESERVED_PART = 1 / 4;
/** Of the room to wait that the others leave: what one owner may have. So there is some left for the next owner. */
const WAITING_PART = 1 / 2;
/** Since the owner was last another than the one before: so long several of them come. */
const SHARED_MS = 1000;
/** With a single place, an owner could do nothing beside one call that takes long. */
const MIN_SHARE = 2;

export interface Shares {
  /** Of all places: what one owner may take while others come, too. Whoever has a place slows down those beside it. */
  readonly part: number;
  /** The owner that stands for all others: it has no share, and does not count as one that comes. */
  readonly ofAll: string;
}

/**
 * Places that several owners use at the same time. A free place goes to the owner that has the fewest, in turn if
 * several have as few: waiting in great numbers gains an owner nothing.
 */
export class FairQueue {
  private readonly held = new Map<string, number>();
  /** By owner, the next one to get a place first. */
  private readonly waiting = new Map<string, Set<() => void>>();
  private readonly maxHeld: number;
  /** The same while others come, too. */
  private readonly share: number;
  private free: number;
  private waitingInAll = 0;
  private lastOwner?: string;
  private sharedUntilMs = -Infinity;

  /** `maxWaiting` is the room to wait that owners share; those that ask `isOpenTo` before they enter keep to it. */
  constructor(
    places: number,
    private readonly maxWaiting = Infinity,
    private readonly shares?: Shares,
  ) {
    this.free = places;
    this.maxHeld = places - Math.floor(places * RESERVED_PART);
    this.share = shares ? Math.max(Math.min(MIN_SHARE, this.maxHeld), Math.floor(places * shares.part)) : this.maxHeld;
  }

  /** Whether the owner may enter, or wait until it may. */
  isOpenTo(owner: string): boolean {
    const own = this.waiting.get(owner)?.size ?? 0;
    const left = this.maxWaiting - (this.waitingInAll - own);
    return this.mayEnter(owner) || own < Math.ceil(WAITING_PART * left);
  }

  /**
   * Resolves with the function that gives the places back; undefined if none is free within `timeoutMs`. Who takes
   * several may take more than are free.
   */
  async enter(owner: string, timeoutMs: number, places = 1): Promise<(() => void) | undefined> {
    this.note(owner);
    if (this.mayEnter(owner)) return this.take(owner, places);
    const own = this.waiting.get(owner) ?? new Set();
    this.waiting.set(owner, own);
    return new Promise((resolve) => {
      const admit = () => {
        clearTimeout(timer);
        resolve(this.take(owner, places));
      };
      const timer = setTimeout(() => {
        this.leave(owner, admit);
        resolve(undefined);
      }, timeoutMs);
      own.add(admit);
      this.waitingInAll += 1;
    });
  }

  private note(owner: string): void {
    if (!this.shares || owner === this.shares.ofAll || owner === this.lastOwner) return;
    if (this.lastOwner !== undefined) this.sharedUntilMs = performance.now() + SHARED_MS;
    this.lastOwner = owner;
  }

  private take(owner: string, places: number): () => void {
    this.free -= places;
    this.held.set(owner, this.heldBy(owner) + places);
    return () => {
      const left = this.heldBy(owner) - places;
      if (left > 0) this.held.set(owner, left);
      else this.held.delete(owner);
      this.free += places;
      while (this.admitNext());
    };
  }

  /** False if nobody that waits may enter. */
  private admitNext(): boolean {
    const next = [...this.waiting.keys()]
      .filter((owner) => this.mayEnter(owner))
      .reduce<string | undefined>((best, owner) => {
        return best === undefined || this.heldBy(owner) < this.heldBy(best) ? owner : best;
      }, undefined);
    if (next === undefined) return false;
    const own = this.waiting.get(next) as Set<() => void>;
    const [admit] = own as Iterable<() => void>;
    // Behind the others.
    this.waiting.delete(next);
    this.waiting.set(next, own);
    this.leave(next, admit as () => void);
    admit?.();
    return admit !== undefined;
  }

  private leave(owner: string, admit: () => void): void {
    const own = this.waiting.get(owner);
    if (own?.delete(admit)) this.waitingInAll -= 1;
    if (own?.size === 0) this.waiting.delete(owner);
  }

  private mayEnter(owner: string): boolean {
    return this.free > 0 && this.heldBy(owner) < this.maxHeldBy(owner);
  }

  private maxHeldBy(owner: string): number {
    const isBounded = owner !== this.shares?.ofAll && performance.now() < this.sharedUntilMs;
    return isBounded ? this.share : this.maxHeld;
  }

  private heldBy(owner: string): number {
    return this.held.get(owner) ?? 0;
  }
}
