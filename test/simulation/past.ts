import type { Timeline } from './timeline';

export interface PastOptions {
  readonly intervalMs: number;
  /** So many copies are kept. */
  readonly size: number;
}

/** A moment to which something goes back, and when it does. */
export interface Return {
  readonly atMs: number;
  readonly ageMs: number;
}

/** What something was like a while ago. It is known when that will be asked for: only then is a copy made. */
export class Past<State> {
  private readonly copies: { readonly atMs: number; readonly state?: State }[] = [];
  private readonly endMs: number;

  constructor(
    private readonly timeline: Timeline,
    private readonly options: PastOptions,
    private readonly returns: readonly Return[],
    private readonly copy: () => State,
  ) {
    this.endMs = Math.max(...returns.map(({ atMs }) => atMs));
    if (returns.length > 0) this.keep();
  }

  /** Undefined if nothing is known of that time. */
  at(ms: number): State | undefined {
    const known = this.copies.findLast(({ atMs }) => atMs <= ms);
    if (known && known.state === undefined) throw new Error('what was not to be returned to was not kept');
    return known?.state;
  }

  private keep(): void {
    const { nowMs } = this.timeline;
    const { intervalMs, size } = this.options;
    const isWanted = this.returns.some(
      ({ atMs, ageMs }) => atMs - ageMs >= nowMs && atMs - ageMs <= nowMs + intervalMs,
    );
    this.copies.push({ atMs: nowMs, state: isWanted ? this.copy() : undefined });
    if (this.copies.length > size) this.copies.shift();
    if (nowMs < this.endMs) this.timeline.after(intervalMs, () => this.keep());
  }
}
