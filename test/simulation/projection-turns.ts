import type { OutboxChanges } from '../../src/core/ports/outbox';
import type { CallWitness, FinishedCall } from './connection';

/** How far the projection may be behind before a replica that sees it must not believe the cache. */
const MAX_LAG_MS = 1000;

const NOTHING = { to: 0, horizon: 0 };

/** Positions of the outbox now. */
export interface Positions {
  /** Up to where Redis was brought. */
  cursor(): number;
  /** Above all transactions that have begun. */
  horizon(): number;
  /** Of the present database; undefined until it has begun one of its own. */
  epoch(): string | undefined;
}

/**
 * What the turns that one replica's projection has taken oblige it to know: a turn brings the changes to Redis, or
 * tells the replica not to believe it. What has been committed cannot be known only while the database cannot be asked.
 */
export class ProjectionTurns implements CallWitness {
  /** From now on nothing older is returned than the changes below this position of the outbox. */
  knownBelow = 0;
  private isVoid = false;
  private epoch?: string;
  /** What the turn under way will oblige to. */
  private owed = 0;
  private read: Pick<OutboxChanges, 'to' | 'horizon'> = NOTHING;
  private seen: { readonly atMs: number; readonly horizon: number }[] = [];

  constructor(
    private readonly positions: Positions,
    private readonly nowMs: () => number,
  ) {}

  answered({ method }: FinishedCall, reply: unknown): void {
    if (method.startsWith('changes')) this.hasRead(reply as OutboxChanges);
    // Another replica may have moved the cursor meanwhile, and not as far.
    if (method.startsWith('project') && this.positions.cursor() < this.read.to) this.owed = this.overdue();
  }

  failed({ server, method }: FinishedCall): void {
    if (server === 'redis') this.owed = method === 'cursors' ? this.positions.horizon() : this.read.horizon;
  }

  ended(): void {
    if (!this.isVoid) this.knownBelow = Math.max(this.knownBelow, this.owed);
    this.owed = 0;
    this.isVoid = false;
  }

  /** The database is another one, with other positions: also the turn under way obliges to nothing. */
  startAnew(): void {
    this.knownBelow = 0;
    this.seen = [];
    this.isVoid = true;
  }

  private hasRead(read: OutboxChanges): void {
    if (this.epoch !== read.identity.epoch) {
      this.seen = [];
      this.knownBelow = 0;
    }
    this.epoch = read.identity.epoch;
    // A server that the others have left has positions of its own.
    const isPresent = this.epoch === this.positions.epoch();
    this.read = isPresent ? read : NOTHING;
    if (!isPresent) return;
    this.seen.push({ atMs: this.nowMs(), horizon: read.horizon });
    this.owed = Math.max(read.to, this.overdue());
  }

  /** The highest position that should have been reached by now. */
  private overdue(): number {
    const long = this.seen.filter(({ atMs }) => this.nowMs() - atMs > MAX_LAG_MS);
    return long.at(-1)?.horizon ?? 0;
  }
}
