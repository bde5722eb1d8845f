import type { CallIds } from '../correlation/call-ids';

const PAUSE_MS = 10_000;

/** Writes at most one line in ten seconds, whatever callers do; the next line says how many were left out. */
export class BoundedLog {
  private writtenAtMs = Number.NEGATIVE_INFINITY;
  private leftOut = 0;

  constructor(private readonly write: (line: string, ids?: CallIds) => void) {}

  /** `ids` are those of the call that the line is about. */
  add(line: string, ids?: CallIds): void {
    const nowMs = performance.now();
    if (nowMs - this.writtenAtMs < PAUSE_MS) {
      this.leftOut += 1;
      return;
    }
    this.write(this.leftOut === 0 ? line : `${line} (and ${this.leftOut} more like it before)`, ids);
    this.writtenAtMs = nowMs;
    this.leftOut = 0;
  }
}
