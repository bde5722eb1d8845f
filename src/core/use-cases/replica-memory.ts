import type { AttachmentRef } from '../domain/attachment';
import type { CachedTask, KnownChange } from '../ports/attachment-cache';

const DEFAULT_MAX_CHANGES = 100_000;

interface OwnChange {
  readonly version: number;
  readonly deleted: boolean;
  /** Only the journal has acknowledged it, as far as is known here. */
  readonly journaled: boolean;
  /** The session in which the cache has been told of it, if it has. */
  readonly session?: number;
}

/**
 * What this replica knows beyond what the stores tell it: which changes it has acknowledged, so that it never answers
 * with anything older, and how far the cache must have been brought before it can be believed. Forgets the tasks that
 * were changed longest ago; starts anew with the process.
 */
export class ReplicaMemory {
  private readonly tasks = new Map<string, Map<string, OwnChange> | 'deleted'>();
  private size = 0;
  private session = 0;
  private need = Infinity;

  constructor(private readonly maxChanges = DEFAULT_MAX_CHANGES) {}

  /** Whether everything that was committed before this session with the cache has been projected into it. */
  trusts({ token, cursor }: CachedTask): boolean {
    this.enter(token.session);
    return token.session === this.session && cursor >= this.need;
  }

  /** `horizon` is from a read of the outbox that began when the session had begun. */
  learnHorizon(session: number, horizon: number): void {
    this.enter(session);
    // A horizon that has gone back is that of another database.
    if (session === this.session) this.need = Math.min(this.need, horizon);
  }

  /** The highest version that was acknowledged or seen here since, 0 where none was. */
  versionOf({ taskId, key }: AttachmentRef): number {
    return this.change(taskId, key)?.version ?? 0;
  }

  isDeleted(taskId: string): boolean {
    return this.tasks.get(taskId) === 'deleted';
  }

  /** Acknowledged changes that a page from the cache might lack. */
  changesToCheck(taskId: string): readonly KnownChange[] {
    return this.changesOf(taskId, ({ session }) => session !== this.session);
  }

  /** Changes that the journal has acknowledged; the store may not know of them yet. */
  journaledChanges(taskId: string): readonly KnownChange[] {
    return this.changesOf(taskId, ({ journaled }) => journaled);
  }

  /** To be called before a change is acknowledged. */
  remember({ taskId, key }: AttachmentRef, change: OwnChange): void {
    const ofTask = this.tasks.get(taskId);
    if (ofTask === 'deleted') return;
    const known = ofTask?.get(key);
    if (known && known.version >= change.version) return;

    const changes = ofTask ?? new Map<string, OwnChange>();
    if (changes.delete(key)) this.size -= 1;
    changes.set(key, change);
    this.size += 1;
    this.renew(taskId, changes);
  }

  /** The store has this version, which may be newer than what was acknowledged here; what never was is not kept. */
  learnStored(ref: AttachmentRef, version: number, deleted: boolean): void {
    const known = this.change(ref.taskId, ref.key);
    if (!known || known.version > version) return;
    const { session } = known.version === version ? known : { session: undefined };
    (this.tasks.get(ref.taskId) as Map<string, OwnChange>).set(ref.key, { version, deleted, session, journaled: false });
  }

  /** The stores have lost what was acknowledged; does nothing where something newer has been since. */
  forget({ taskId, key }: AttachmentRef, version: number): void {
    const changes = this.tasks.get(taskId);
    if (changes === undefined || changes === 'deleted' || changes.get(key)?.version !== version) return;
    changes.delete(key);
    this.size -= 1;
  }

  /** To be called before the deletion of a task is acknowledged. */
  rememberDeleted(taskId: string): void {
    this.drop(taskId);
    this.size += 1;
    this.renew(taskId, 'deleted');
  }

  /** Every session begins without trust. */
  private enter(session: number): void {
    if (session <= this.session) return;
    this.session = session;
    this.need = Infinity;
  }

  private change(taskId: string, key: string): OwnChange | undefined {
    const changes = this.tasks.get(taskId);
    return changes === 'deleted' ? undefined : changes?.get(key);
  }

  private changesOf(taskId: string, which: (change: OwnChange) => boolean): readonly KnownChange[] {
    const changes = this.tasks.get(taskId);
    if (changes === undefined || changes === 'deleted') return [];
    return [...changes].filter(([, change]) => which(change)).map(([key, change]) => ({ key, ...change }));
  }

  private renew(taskId: string, changes: Map<string, OwnChange> | 'deleted'): void {
    this.tasks.delete(taskId);
    this.tasks.set(taskId, changes);
    while (this.size > this.maxChanges) this.dropOldest();
  }

  private dropOldest(): void {
    const [[taskId, changes]] = this.tasks as unknown as [[string, Map<string, OwnChange> | 'deleted']];
    const [key] = changes === 'deleted' ? [] : changes.keys();
    if (this.tasks.size > 1 || key === undefined) {
      this.drop(taskId);
      return;
    }
    (changes as Map<string, OwnChange>).delete(key);
    this.size -= 1;
  }

  private drop(taskId: string): void {
    const changes = this.tasks.get(taskId);
    this.tasks.delete(taskId);
    if (changes !== undefined) this.size -= changes === 'deleted' ? 1 : changes.size;
  }
}
