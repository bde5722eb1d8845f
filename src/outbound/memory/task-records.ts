import type { Attachment } from '../../core/domain/attachment';
import { comparePlaces, listPlaceOf, type ListPlace } from '../../core/domain/list-order';
import type { AppliedChange, CachedTask, Fill, KnownChange } from '../../core/ports/attachment-cache';
import type { OutboxChange } from '../../core/ports/outbox';

interface TaskRecord extends ListPlace {
  readonly version: number;
  readonly op: string;
  readonly expiresAtMs: number;
}

/** The known versions of one task's attachments, and whether these are all. Holds no bodies. */
export class TaskRecords {
  private readonly records = new Map<string, TaskRecord>();
  private order?: readonly string[];
  private organization?: string;
  private deleted = false;
  private complete = false;
  private earliestExpiryMs = Infinity;
  /** The token that was given out before the floor was lowered: it must not become valid again. */
  private spentToken?: number;

  /** A version at or below `floor` is not accepted as new. The floor is also the fill token. */
  constructor(private floor: number) {}

  get size(): number {
    return this.records.size;
  }

  get about(): Omit<CachedTask, 'cursor' | 'token'> & { floor: number } {
    const { floor, organization, deleted } = this;
    return { floor, organization, deleted };
  }

  isForeignTo(organization: string): boolean {
    return this.organization !== undefined && this.organization !== organization;
  }

  has({ key, op }: Attachment): boolean {
    return this.records.get(key)?.op === op;
  }

  /** Whether the records include each of the changes, or something newer under its key. */
  includesAll(changes: readonly KnownChange[]): boolean {
    return changes.every(({ key, version, deleted }) => {
      const known = this.records.get(key);
      return known ? known.version >= version : deleted;
    });
  }

  /** The keys of all live attachments in order; undefined unless all of them are known. */
  keysAt(nowMs: number): readonly string[] | undefined {
    if (!this.complete || this.earliestExpiryMs <= nowMs) return undefined;
    this.order ??= [...this.records].sort(([, a], [, b]) => comparePlaces(a, b)).map(([key]) => key);
    return this.order;
  }

  apply({ key, stamp, attachment }: AppliedChange): void {
    const known = this.records.get(key);
    if (this.deleted || (known && known.version >= stamp.version)) return;
    if (attachment && (known || stamp.version > this.floor)) {
      this.write(attachment);
      return;
    }
    // Something newer than this put may have been known and then forgotten.
    if (attachment) this.complete = false;
    this.remove(key);
    this.raiseFloor(stamp.version);
  }

  /** Only ever forgets. */
  project(change: OutboxChange): void {
    if (this.deleted) return;
    if (change.kind === 'task-deleted') {
      this.wipe(change.version);
      return;
    }
    const { key, version, op, deleted } = change;
    const known = this.records.get(key);
    if (known && (known.version > version || (known.version === version && known.op === op))) return;
    // A deletion of an absent key leaves the list complete. But a fill in progress may bring the old attachment.
    if (known || !deleted) this.complete = false;
    this.remove(key);
    this.raiseFloor(version);
  }

  wipe(version: number): void {
    this.records.clear();
    this.order = undefined;
    this.deleted = true;
    this.complete = false;
    this.raiseFloor(version);
  }

  fill({ token, organization, attachments, complete, isNewTask }: Fill, nowMs: number): void {
    if (this.deleted || token.floor !== this.floor) return;
    const isNew = isNewTask && this.organization === undefined;
    this.organization = organization;
    for (const attachment of attachments) {
      const known = this.records.get(attachment.key);
      if (!known || attachment.version > known.version) this.write(attachment);
    }
    if (complete) this.completeAt(nowMs);
    if (!isNew || token.floor !== this.floor) return;
    this.spentToken = this.floor;
    this.floor = 0;
  }

  /** An expired attachment was not among those of the fill, so it must no longer count. */
  private completeAt(nowMs: number): void {
    for (const [key, { version, expiresAtMs }] of this.records) {
      if (expiresAtMs > nowMs) continue;
      this.remove(key);
      this.raiseFloor(version);
    }
    this.complete = true;
    this.earliestExpiryMs = [...this.records.values()].reduce(
      (min, { expiresAtMs }) => Math.min(min, expiresAtMs),
      Infinity,
    );
  }

  private write(attachment: Attachment): void {
    const { key, version, op, expiresAtMs = Infinity } = attachment;
    this.records.set(key, { version, op, expiresAtMs, ...listPlaceOf(attachment) });
    this.order = undefined;
    this.earliestExpiryMs = Math.min(this.earliestExpiryMs, expiresAtMs);
  }

  private remove(key: string): void {
    this.records.delete(key);
    this.order = undefined;
  }

  private raiseFloor(version: number): void {
    this.floor = Math.max(this.floor + 1, version);
    if (this.floor === this.spentToken) this.floor += 1;
  }
}
