/**
 * Shares a fixed amount among callers without knowing how many there will be: a caller holds at most `part` of what the
 * others leave. So something is left for the next one.
 */
export class FairShare {
  private readonly heldBy = new Map<string, number>();
  private held = 0;

  constructor(
    private readonly total: number,
    private readonly part: number,
  ) {}

  get isExhausted(): boolean {
    return this.held >= this.total;
  }

  mayTake(caller: string, amount: number): boolean {
    const own = this.heldBy.get(caller) ?? 0;
    const left = this.total - (this.held - own);
    return this.held + amount <= this.total && own + amount <= Math.ceil(this.part * left);
  }

  /** Takes nothing if the caller may not have all of it. */
  take(caller: string, amount: number): boolean {
    if (!this.mayTake(caller, amount)) return false;
    this.add(caller, amount);
    return true;
  }

  /** Takes without asking. */
  add(caller: string, amount: number): void {
    this.held += amount;
    this.heldBy.set(caller, (this.heldBy.get(caller) ?? 0) + amount);
  }

  giveBack(caller: string, amount: number): void {
    const left = (this.heldBy.get(caller) ?? 0) - amount;
    this.held -= amount;
    if (left > 0) this.heldBy.set(caller, left);
    else this.heldBy.delete(caller);
  }
}
