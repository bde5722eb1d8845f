/** The phase of this process; it only moves forward. */
export class Lifecycle {
  private phase: 'starting' | 'started' | 'leaving' | 'stopping' = 'starting';
  private startUpComplete = false;
  private readonly departing = new AbortController();

  get current(): 'starting' | 'started' | 'leaving' | 'stopping' {
    return this.phase;
  }

  /** No new connections are wanted; those that come are served until the process stops. */
  get isLeaving(): boolean {
    return this.phase === 'leaving' || this.phase === 'stopping';
  }

  /** Aborted by `leaving`. */
  get departure(): AbortSignal {
    return this.departing.signal;
  }

  /** No new calls are taken. */
  get isStopping(): boolean {
    return this.phase === 'stopping';
  }

  /** Stays true while the process stops. */
  get hasStarted(): boolean {
    return this.startUpComplete;
  }

  started(): void {
    this.startUpComplete = true;
    if (this.phase === 'starting') this.phase = 'started';
  }

  leaving(): void {
    if (this.phase !== 'stopping') this.phase = 'leaving';
    this.departing.abort();
  }

  stopping(): void {
    this.phase = 'stopping';
  }
}
