interface TurnOutcome {
  /** Whether the replica believes the cache. */
  readonly isTrusted: boolean;
  /** Whether the cache lacks no change that was committed before the outbox was read. */
  readonly isCaughtUp: boolean;
}

const COMPLETE: TurnOutcome = { isTrusted: true, isCaughtUp: true };
const NOT_KNOWN: TurnOutcome = { isTrusted: false, isCaughtUp: false };

/** What the last turns of the projection have shown, for the operator. */
export class ProjectionProgress {
  private turn = COMPLETE;
  private last = NOT_KNOWN;
  private caughtUpAtMs?: number;

  get isCacheTrusted(): boolean {
    return this.last.isTrusted;
  }

  /** Since when the cache may lack a change, as far as this replica knows; undefined if it never had them all. */
  lagMs(nowMs: number): number | undefined {
    return this.caughtUpAtMs === undefined ? undefined : nowMs - this.caughtUpAtMs;
  }

  begin(): void {
    this.turn = COMPLETE;
  }

  /** Some parts of the cache were brought forward. */
  brought({ isTrusted, isCaughtUp }: TurnOutcome): void {
    const { turn } = this;
    this.turn = { isTrusted: turn.isTrusted && isTrusted, isCaughtUp: turn.isCaughtUp && isCaughtUp };
  }

  /** Parts of the cache could not be brought forward, because they belong to another history. */
  stopped(): void {
    this.brought(NOT_KNOWN);
  }

  end(nowMs: number): void {
    this.last = this.turn;
    if (this.turn.isCaughtUp) this.caughtUpAtMs = nowMs;
  }

  fail(): void {
    this.last = NOT_KNOWN;
  }
}
