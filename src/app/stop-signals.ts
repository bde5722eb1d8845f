/** npm and process groups send a signal twice, and mean one. */
const SAME_SIGNAL_MS = 1000;
/** What shells report for a program that Ctrl-C has ended. */
const INTERRUPTED = 130;

/**
 * Listens for SIGTERM and SIGINT from the first moment. A process without a listener is ended by them, and as the first
 * process of a container it never notices them. The first signal stops the process in order, if need be as soon as it
 * can; a later SIGINT ends it at once.
 */
export class StopSignals {
  private first?: { readonly signal: NodeJS.Signals; readonly atMs: number };
  private stop?: (signal: NodeJS.Signals) => void;

  constructor() {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.receive(signal));
    // The reader of the log may have ended first: without a listener its end would be that of this process.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  }

  get isStopRequested(): boolean {
    return this.first !== undefined;
  }

  /** `stop` is called once, at once if the signal has come before. */
  onStop(stop: (signal: NodeJS.Signals) => void): void {
    this.stop = stop;
    if (this.first) stop(this.first.signal);
  }

  private receive(signal: NodeJS.Signals): void {
    if (!this.first) {
      this.first = { signal, atMs: performance.now() };
      this.stop?.(signal);
    } else if (signal === 'SIGINT' && performance.now() - this.first.atMs > SAME_SIGNAL_MS) {
      process.exit(INTERRUPTED);
    }
  }
}
