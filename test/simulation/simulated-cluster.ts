import { MemoryAttachmentStore } from '../../src/outbound/memory/memory-attachment-store';
import type { MemoryDatabase } from '../../src/outbound/memory/memory-database';
import { MemoryDueTaskStore } from '../../src/outbound/memory/memory-due-task-store';
import { MemoryExpiredAttachmentStore } from '../../src/outbound/memory/memory-expired-attachment-store';
import { MemoryOutbox } from '../../src/outbound/memory/memory-outbox';
import { MemoryStoreServer } from '../../src/outbound/memory/memory-store-server';
import { MemoryTaskStore } from '../../src/outbound/memory/memory-task-store';
import type { Random } from './random';
import type { Timeline } from './timeline';

/** How long another publisher waits before it takes the place of one that is silent. */
const PUBLISHER_LEASE_MS = 1000;

let runs = 1;

/** No two servers have started at the same moment. */
export function nextRun(): number {
  return (runs += 1);
}

/** One PostgreSQL server: its transactions take time, and may be under way when it dies. */
export class SimulatedCluster {
  readonly attachments: MemoryAttachmentStore;
  readonly tasks: MemoryTaskStore;
  readonly expired: MemoryExpiredAttachmentStore;
  readonly dueTasks: MemoryDueTaskStore;
  readonly outbox: MemoryOutbox;
  readonly server: MemoryStoreServer;
  private readonly underWay = new Map<number, () => void>();
  private publisher?: { readonly name: string; readonly untilMs: number };

  constructor(
    readonly database: MemoryDatabase,
    private readonly timeline: Timeline,
    private readonly random: Random,
    private readonly committed: (database: MemoryDatabase) => void,
  ) {
    this.attachments = new MemoryAttachmentStore(database);
    this.tasks = new MemoryTaskStore(database);
    this.expired = new MemoryExpiredAttachmentStore(database);
    this.dueTasks = new MemoryDueTaskStore(database);
    this.outbox = new MemoryOutbox(database, { nowMs: () => timeline.nowMs });
    this.server = new MemoryStoreServer(database);
  }

  /** Begins now, and commits what `work` writes after `workMs`. */
  transaction<T>(workMs: number, work: () => Promise<T>): Promise<T> {
    const xid = this.database.begin();
    return new Promise((resolve, reject) => {
      const commit = () => {
        this.underWay.delete(xid);
        this.database.commit(xid, work).then(resolve, reject);
        this.committed(this.database);
      };
      this.underWay.set(xid, commit);
      this.timeline.after(workMs, () => this.underWay.get(xid)?.());
    });
  }

  /**
   * Within a transaction: what it has written up to now is known as a change of its own, even if it is overwritten
   * next.
   */
  step(): void {
    this.committed(this.database);
  }

  /** What is under way is rolled back, or was committed in the last moment. */
  die(): void {
    for (const [xid, commit] of this.underWay) {
      if (this.random.chance(0.5)) {
        commit();
      } else {
        this.underWay.delete(xid);
        this.database.commit(xid, () => undefined);
      }
    }
    this.publisher = undefined;
    this.database.history.run = nextRun();
  }

  /** Whether `name` is the one that publishes. */
  isPublisher(name: string): boolean {
    const { nowMs } = this.timeline;
    if (this.publisher && this.publisher.name !== name && this.publisher.untilMs > nowMs) return false;
    this.publisher = { name, untilMs: nowMs + PUBLISHER_LEASE_MS };
    return true;
  }

  standDown(name: string): void {
    if (this.publisher?.name === name) this.publisher = undefined;
  }
}
