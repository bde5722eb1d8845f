import type { StoreIdentity } from '../../core/ports/store-identity';
import type { OutboxRow } from './memory-outbox-rows';

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
  private firstSeq = 1;

  constructor(
    private readonly databaseId: string,
    /** Whether or not it should have ended. */
    public epoch = newEpoch(databaseId),
  ) {}

  /** A new epoch begins if the database is found on another server than that on which the present one began. */
  identity(lastSeq: number): StoreIdentity {
    if (this.server !== this.epochServer) this.beginEpoch(this.epoch, lastSeq);
    const { databaseId, epoch, server, run } = this;
    return { databaseId, epoch, server, run: String(run) };
  }

  beginEpoch(after: string, lastSeq: number): void {
    if (this.epoch !== after) return;
    this.epoch = newEpoch(this.databaseId);
    this.epochServer = this.server;
    this.firstSeq = lastSeq + 1;
  }

  /** Whether the row's transaction id may be compared with those of the present. */
  isOfPresentEpoch({ seq }: OutboxRow): boolean {
    return seq >= this.firstSeq;
  }

  copy(): MemoryHistory {
    return Object.assign(new MemoryHistory(this.databaseId), this);
  }
}
