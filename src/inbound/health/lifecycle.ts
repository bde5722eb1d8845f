/** The phase of this process; it only moves forward. */
export class Lifecycle {
  private phase: 'starting' | 'started' | 'stopping' = 'starting';
  private startUpComplete = false;

  get current(): 'starting' | 'started' | 'stopping' {
    return this.phase;
  }

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

  stopping(): void {
    this.phase = 'stopping';
  }
}
