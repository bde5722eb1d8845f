import { SingleBar } from 'cli-progress';

export interface Progress {
  /** `total` may grow. */
  set(done: number, total: number): void;
  stop(): void;
}

/** A bar on the terminal. Nothing if there is none: a log needs no bar. */
export function showProgress(what: string): Progress {
  if (!process.stderr.isTTY) return { set: () => undefined, stop: () => undefined };
  const bar = new SingleBar({
    format: `${what} {bar} {value}/{total} {percentage}% {duration_formatted}`,
    stream: process.stderr,
    clearOnComplete: true,
    // It would catch Ctrl-C.
    gracefulExit: false,
  });
  bar.start(1, 0);
  return {
    set(done, total) {
      bar.setTotal(total);
      bar.update(done);
    },
    stop: () => bar.stop(),
  };
}
