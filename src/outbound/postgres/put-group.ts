import { refName } from '../../core/domain/attachment';
import type { PutOutcome } from '../../core/ports/attachment-store';
import type { AttachmentPut } from '../../core/ports/attachment-write';
import type { StoreError } from '../../core/ports/store-error';

const MAX_PUTS = 64;

/** A put without a condition, over nothing that only the journal has. */
export interface PlainPut {
  readonly put: AttachmentPut;
  readonly organization: string;
  readonly nowMs: number;
}

export interface GroupTimer {
  nowMs(): number;
  /** Returns what cancels it. */
  after(ms: number, onTime: () => void): () => void;
  /** In the next iteration of the event loop. */
  next(run: () => void): void;
}

/** What is written together. */
export class PutGroup {
  readonly puts: WaitingPut[] = [];
  /** By key: the version after which another put may come. */
  private readonly versions = new Map<string, number>();

  get isFull(): boolean {
    return this.puts.length >= MAX_PUTS;
  }

  /** Whether the caller need not keep the put: it is in the group now, or was given up. */
  takes(one: WaitingPut): boolean {
    if (one.isOver) return true;
    const { attachment } = one.put.put;
    const name = refName(attachment);
    if (attachment.version <= (this.versions.get(name) ?? 0)) return false;
    this.versions.set(name, attachment.expiresAtMs === undefined ? attachment.version : Infinity);
    this.puts.push(one);
    return true;
  }
}

/** A put whose caller has no answer yet. */
export class WaitingPut {
  readonly outcome: Promise<PutOutcome>;
  isOver = false;
  private settle!: { resolve(outcome: PutOutcome): void; reject(error: unknown): void };
  private readonly sinceMs: number;
  private readonly cancel: () => void;

  constructor(
    readonly put: PlainPut,
    private readonly timeoutMs: number,
    private readonly timer: GroupTimer,
    private onLate: ((sinceMs: number) => StoreError) | undefined,
  ) {
    this.sinceMs = timer.nowMs();
    this.outcome = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    this.cancel = timer.after(timeoutMs, () => {
      if (this.onLate) this.reject(this.onLate(this.sinceMs));
    });
  }

  readonly resolve = (outcome: PutOutcome): void => {
    this.end();
    this.settle.resolve(outcome);
  };

  readonly reject = (error: unknown): void => {
    this.end();
    this.settle.reject(error);
  };

  get leftMs(): number {
    return Math.max(1, this.sinceMs + this.timeoutMs - this.timer.nowMs());
  }

  /** From now on its caller is told this when the time is over; without it, what the statement is told. */
  leaveTimeTo(onLate?: (sinceMs: number) => StoreError): void {
    this.onLate = onLate;
  }

  private end(): void {
    this.isOver = true;
    this.cancel();
  }
}
