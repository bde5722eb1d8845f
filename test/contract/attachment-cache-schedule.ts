import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { Attachment } from '../../src/core/domain/attachment';
import { putChange, type AppliedChange, type AttachmentCache, type Fill } from '../../src/core/ports/attachment-cache';
import { sampleAttachment } from '../support/sample-attachment';

/** Removes single pieces of a task from the cache, as an eviction would. */
export interface Eviction {
  body(taskId: string, key: string): Promise<void>;
  index(taskId: string): Promise<void>;
  indexEntry(taskId: string, key: string): Promise<void>;
  /** Everything that is known of the task except the bodies. */
  control(taskId: string): Promise<void>;
}

export type Step =
  | { readonly kind: 'commit'; readonly key: string; readonly isDeletion: boolean }
  | { readonly kind: 'query'; readonly complete: boolean; readonly withBodies: boolean }
  | { readonly kind: 'apply' | 'fill'; readonly pick: number }
  | { readonly kind: 'evict'; readonly piece: keyof Eviction; readonly key: string };

const KEYS = ['a', 'b', 'c'];
const key = fc.constantFrom(...KEYS);
const commit = fc.record({ kind: fc.constant('commit' as const), key, isDeletion: fc.boolean() });
const query = fc.record({ kind: fc.constant('query' as const), complete: fc.boolean(), withBodies: fc.boolean() });
const arrival = fc.record({ kind: fc.constantFrom('apply' as const, 'fill' as const), pick: fc.nat(5) });
const eviction = fc.record({
  kind: fc.constant('evict' as const),
  piece: fc.constantFrom<keyof Eviction>('body', 'index', 'indexEntry', 'control'),
  key,
});

export const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { arbitrary: commit, weight: 3 },
    { arbitrary: query, weight: 3 },
    { arbitrary: arrival, weight: 6 },
    { arbitrary: eviction, weight: 1 },
  ),
  { maxLength: 40 },
);

/** One task in a store that is always right, and a cache that learns of its changes late and in any order. */
export class Schedule {
  private readonly stored = new Map<string, Attachment>();
  private readonly toldVersions = new Map<string, number>();
  private readonly changes: AppliedChange[] = [];
  private readonly fills: Fill[] = [];
  private version: number;

  constructor(
    private readonly cache: AttachmentCache,
    private readonly taskId: string,
    floor: number,
    private readonly evict?: Eviction,
  ) {
    // The first few versions lie below the floor.
    this.version = floor - 9;
  }

  async run(all: readonly Step[]): Promise<void> {
    for (const step of all) {
      await this.take(step);
      await this.expectNothingOlderThanTold();
    }
    while (this.changes.length > 0) await this.take({ kind: 'apply', pick: 0 });
    while (this.fills.length > 0) await this.take({ kind: 'fill', pick: 0 });
    await this.expectNothingButTheTruth();
  }

  private async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'commit':
        return this.commit(step.key, step.isDeletion);
      case 'query':
        return this.query(step.complete, step.withBodies);
      case 'apply':
        return this.apply(step.pick);
      case 'fill':
        return this.fill(step.pick);
      case 'evict':
        await this.evict?.[step.piece](this.taskId, step.key);
    }
  }

  private commit(changed: string, isDeletion: boolean): void {
    const { taskId } = this;
    this.version += 2;
    if (!isDeletion) {
      const attachment = sampleAttachment({ taskId, key: changed, version: this.version });
      this.stored.set(changed, attachment);
      this.changes.push(putChange(attachment));
    } else if (this.stored.delete(changed)) {
      const stamp = { version: this.version, op: randomUUID() };
      this.changes.push({ taskId, key: changed, stamp, attachment: null });
    }
  }

  private async query(complete: boolean, withBodies: boolean): Promise<void> {
    const { token } = await this.cache.readTask(this.taskId);
    const attachments = complete ? [...this.stored.values()] : [...this.stored.values()].slice(0, 1);
    this.fills.push({ taskId: this.taskId, organization: 'acme', token, attachments, withBodies, complete });
  }

  private async apply(pick: number): Promise<void> {
    const [change] = this.changes.splice(pick % this.changes.length, 1);
    if (!change) return;
    await this.cache.apply(change);
    this.toldVersions.set(change.key, Math.max(change.stamp.version, this.toldVersions.get(change.key) ?? 0));
  }

  private async fill(pick: number): Promise<void> {
    const [fill] = this.fills.splice(pick % this.fills.length, 1);
    if (fill) await this.cache.fill([fill]);
  }

  private async expectNothingOlderThanTold(): Promise<void> {
    for (const attachment of await this.answers()) {
      expect(attachment.version).toBeGreaterThanOrEqual(this.toldVersions.get(attachment.key) ?? 0);
    }
  }

  private async expectNothingButTheTruth(): Promise<void> {
    for (const attachment of await this.answers()) expect(attachment).toEqual(this.stored.get(attachment.key));
    const page = await this.page(true);
    if (!page) return;
    expect(page.totalCount).toBe(this.stored.size);
    expect(page.entries.map((entry) => entry.key)).toEqual([...this.stored.keys()].sort());
  }

  /** Every attachment that the cache returns, one by one or on a page. */
  private async answers(): Promise<readonly Attachment[]> {
    const found = await this.cache.read(
      KEYS.map((each) => ({ taskId: this.taskId, key: each })),
      'acme',
    );
    const page = await this.page(true);
    return [...found, ...(page?.entries ?? [])].flatMap(({ attachment }) => (attachment ? [attachment] : []));
  }

  private async page(includeBodies: boolean) {
    const page = { limit: 10, offset: 0, descending: false, includeBodies, known: [] };
    return (await this.cache.readPage({ taskId: this.taskId, organization: 'acme', nowMs: 0, page })).page;
  }
}
