import type { StoreIdentity } from '../../core/ports/store-identity';

let epochs = 0;

/** A copy of the database must not get the same name. */
function newEpoch(databaseId: string): string {
  return `epoch-${(epochs += 1)} of ${databaseId}`;
}

/** Which database this is, on which server, and in which epoch of its history. */
export class MemoryHistory {
  server = '1/00000001';
  /** Of that server. */
  run = 1;
  private epochServer = this.server;
  private past: readonly string[] = [];

  constructor(
    private readonly databaseId: string,
    /** Whether or not it should have ended. */
    public epoch = newEpoch(databaseId),
  ) {}

  /** A new epoch begins if the database is found on another server than that on which the present one began. */
  identity(): StoreIdentity {
    if (this.server !== this.epochServer) this.beginEpoch(this.epoch);
    const { databaseId, epoch, server, run, past } = this;
    return { databaseId, epoch, server, run: String(run), past: new Set(past) };
  }

  beginEpoch(after: string): void {
    if (this.epoch !== after) return;
    this.past = [...this.past, after];
    this.epoch = newEpoch(this.databaseId);
    this.epochServer = this.server;
  }

  copy(): MemoryHistory {
    return Object.assign(new MemoryHistory(this.databaseId), this);
  }
}
