import { CallTimeoutError } from './dossier-error.ts';

/** What timers take; a longer delay would pass at once. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** The end of a call: its time-out, or the signal of the caller. Must be disposed of. */
export class Deadline {
  private readonly controller = new AbortController();
  private readonly endsAtMs: number;
  private readonly timer: ReturnType<typeof setTimeout>;
  private readonly abort = () => this.controller.abort(this.callerSignal?.reason);

  constructor(
    timeoutMs: number,
    private readonly callerSignal: AbortSignal | undefined,
  ) {
    this.endsAtMs = performance.now() + timeoutMs;
    this.timer = setTimeout(
      () => this.controller.abort(new CallTimeoutError(timeoutMs)),
      Math.min(timeoutMs, LONGEST_DELAY_MS),
    );
    if (callerSignal?.aborted) this.abort();
    callerSignal?.addEventListener('abort', this.abort);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  get leftMs(): number {
    return this.endsAtMs - performance.now();
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.callerSignal?.removeEventListener('abort', this.abort);
  }
}

/** Rejects with the reason of the signal when it aborts, whatever `work` makes of it. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Rejects with the reason of the signal when it aborts. */
export async function sleep(delayMs: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const passed = new Promise<void>((resolve) => (timer = setTimeout(resolve, Math.min(delayMs, LONGEST_DELAY_MS))));
  await orAborted(passed, signal).finally(() => clearTimeout(timer));
}
