import type { OutboxChanges } from '../ports/outbox';

/** How far the projection may be behind before the cache is no longer believed. */
const MAX_LAG_MS = 1000;

/**
 * Watches how far the projection is behind. A transaction that stays open for long holds the projection back, and with
 * it the changes that others have committed since.
 */
export class ProjectionLag {
  /** Horizons that the projection has not reached yet, lowest first, and since when they are known. */
  private readonly ahead: { readonly horizon: number; readonly sinceMs: number }[] = [];

  /** The highest horizon that the projection should have reached by now; returned once, undefined if there is none. */
  overdueHorizon({ to, horizon }: OutboxChanges, nowMs: number): number | undefined {
    while (this.ahead[0] && this.ahead[0].horizon <= to) this.ahead.shift();
    if (horizon > (this.ahead.at(-1)?.horizon ?? to)) this.ahead.push({ horizon, sinceMs: nowMs });
    const overdue = this.ahead.findLast(({ sinceMs }) => nowMs - sinceMs > MAX_LAG_MS);
    if (!overdue) return undefined;
    // A projection that reaches this horizon has reached those before it.
    this.ahead.splice(0, this.ahead.indexOf(overdue) + 1);
    return overdue.horizon;
  }
}
