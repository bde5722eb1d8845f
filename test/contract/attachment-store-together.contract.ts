import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { attachmentExpired, ofStored } from '../../src/core/domain/domain-event';
import type { AttachmentPut } from '../../src/core/ports/attachment-write';
import {
  aDeletion,
  aPut,
  deleteTree,
  found,
  NOW_MS,
  ORGANIZATION,
  storedTask,
  TIMEOUT_MS,
  type StoreHarness,
} from './attachment-store.harness';

const EXPIRES_MS = NOW_MS + 5000;
/** More than have a statement of their own. */
const BUSY = 12;

/** A store may write puts together that come at the same time: no caller can tell. */
export function describePutsTogether(here: () => { harness: StoreHarness; taskId: string }): void {
  let harness: StoreHarness;
  let taskId: string;
  beforeEach(() => ({ harness, taskId } = here()));

  const put = (one: AttachmentPut, organization = ORGANIZATION, nowMs = NOW_MS) =>
    harness.attachments.put(one, organization, undefined, nowMs, TIMEOUT_MS);
  /** Keeps the store busy, so that the puts behind these meet. */
  const busy = () => Array.from({ length: BUSY }, (_, i) => put(aPut({ taskId, key: `busy-${i}` })));
  const identityOf = ({ attachment }: AttachmentPut) => {
    const { id, createdAtMs, createdBy } = attachment;
    return { id, createdAtMs, createdBy };
  };
  const applied = (one: AttachmentPut, replaced = false) => ({ state: 'applied', identity: identityOf(one), replaced });
  const eventsOf = async (key: string) =>
    (await harness.eventsOf(taskId)).filter(({ payload }) => payload['key'] === key);
  const countOf = async (id: string) =>
    (await harness.tasks.get(id, ORGANIZATION, NOW_MS, TIMEOUT_MS))?.attachmentCount;

  describe('puts that come together', () => {
    it('each have an outcome of their own', async () => {
      const deleted = (await storedTask(harness)).id;
      await deleteTree(harness, deleted);
      const [other, foreign] = [await storedTask(harness), await storedTask(harness, {}, 'other')];
      const stored = aPut({ taskId, key: 'stored' }, { version: 2000 });
      await put(stored);
      const buried = aPut({ taskId, key: 'buried' }, { version: 2000 });
      await put(buried);
      const deletion = aDeletion(taskId, 'buried', 2002);
      await harness.attachments.delete(deletion, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);

      const fresh = aPut({ taskId, key: 'fresh' });
      const elsewhere = aPut({ taskId: other.id, key: 'fresh' });
      const theirs = aPut({ taskId: foreign.id, key: 'fresh' });
      const over = aPut({ taskId, key: 'stored' }, { version: 2004, by: 'bob' });
      const revived = aPut({ taskId, key: 'buried' }, { version: 2004 });
      const outcomes = await Promise.all([
        ...busy(),
        put(fresh),
        put(elsewhere),
        put(theirs, 'other'),
        put(aPut({ taskId: foreign.id, key: 'mine' })),
        put(aPut({ taskId: deleted })),
        put(aPut({ taskId: randomUUID() })),
        put(over),
        put(aPut({ taskId, key: 'buried' }, { version: 2002 })),
        put(revived),
      ]);
      expect(outcomes.slice(BUSY)).toEqual([
        applied(fresh),
        applied(elsewhere),
        applied(theirs),
        { state: 'task-missing' },
        { state: 'task-missing' },
        { state: 'task-missing' },
        applied(stored, true),
        { state: 'superseded', version: 2002 },
        applied(revived),
      ]);
      expect(await found(harness, taskId, 'stored')).toEqual({ ...over.attachment, ...identityOf(stored) });
      expect(await found(harness, taskId, 'buried')).toEqual(revived.attachment);
      expect(await eventsOf('stored')).toEqual([stored.event, ofStored(over.event, stored.attachment.id)]);
      expect(await harness.eventsOf(other.id)).toHaveLength(2);
      expect(await countOf(taskId)).toBe(BUSY + 3);
      expect(await countOf(other.id)).toBe(1);
    });

    it('of one key take effect in the order of their versions, and each is announced', async () => {
      const puts = Array.from({ length: 9 }, (_, i) =>
        aPut({ taskId, key: 'hot' }, { version: 1000 + 2 * i, by: `w${i}`, nowMs: NOW_MS + i }),
      );
      const [first, ...others] = puts as [AttachmentPut, ...AttachmentPut[]];
      const outcomes = await Promise.all([...busy(), ...puts.map((one) => put(one))]);
      expect(outcomes.slice(BUSY)).toEqual([applied(first), ...others.map(() => applied(first, true))]);
      const last = puts[8] as AttachmentPut;
      expect(await found(harness, taskId, 'hot')).toEqual({ ...last.attachment, ...identityOf(first) });
      const { id } = first.attachment;
      expect(await eventsOf('hot')).toEqual([first.event, ...others.map(({ event }) => ofStored(event, id))]);
      expect(await countOf(taskId)).toBe(BUSY + 1);
    });

    it('over an attachment that has expired record its expiry', async () => {
      const brief = aPut({ taskId, key: 'brief', ttlSeconds: 5 });
      await put(brief);
      const next = aPut({ taskId, key: 'brief' }, { version: 1002, nowMs: EXPIRES_MS });
      const other = aPut({ taskId, key: 'other' });
      const puts = [...busy(), put(next, ORGANIZATION, EXPIRES_MS), put(other)];
      expect((await Promise.all(puts)).slice(BUSY)).toEqual([applied(next), applied(other)]);
      const expiry = attachmentExpired({ ...brief.attachment, expiresAtMs: EXPIRES_MS });
      expect(await eventsOf('brief')).toEqual([brief.event, expiry, next.event]);
      expect(await countOf(taskId)).toBe(BUSY + 2);
    });

    it('of one key each take effect, even if the first one expires before the second one', async () => {
      const at = (version: number, nowMs: number) =>
        aPut({ taskId, key: 'k', ttlSeconds: 1 }, { version, nowMs, by: `at ${nowMs}` });
      const [first, second] = [at(1000, NOW_MS), at(1002, NOW_MS + 2000)];
      const outcomes = await Promise.all([
        ...busy(),
        put(first, ORGANIZATION, NOW_MS),
        put(second, ORGANIZATION, NOW_MS + 2000),
      ]);
      const expiry = attachmentExpired({ ...first.attachment, expiresAtMs: NOW_MS + 1000 });
      // They are not written together. On a busy machine the second one may be faster, as with any two callers.
      const isOvertaken = outcomes[BUSY]?.state === 'superseded';
      expect(outcomes.slice(BUSY)).toEqual([
        isOvertaken ? { state: 'superseded', version: 1002 } : applied(first),
        applied(second),
      ]);
      expect(await eventsOf('k')).toEqual(isOvertaken ? [second.event] : [first.event, expiry, second.event]);
    });

    it('leave what the same puts would leave one after the other', async () => {
      const keys = ['a', 'b', 'c'];
      const several = fc.array(fc.record({ key: fc.constantFrom(...keys), rank: fc.nat(20) }), {
        minLength: 5,
        maxLength: 30,
      });
      await fc.assert(
        fc.asyncProperty(several, async (choices) => {
          const { id } = await storedTask(harness);
          const puts = choices.map(({ key, rank }) => aPut({ taskId: id, key }, { version: 1000 + 2 * rank }));
          const outcomes = await Promise.all(puts.map((one) => put(one)));
          const events = (await harness.eventsOf(id)).slice(1).map(({ metadata }) => metadata.eventId);
          const announced = puts.filter((_, i) => outcomes[i]?.state === 'applied');
          expect([...events].sort()).toEqual(announced.map(({ attachment }) => attachment.op).sort());
          for (const key of keys) {
            const ofKey = puts.filter(({ attachment }) => attachment.key === key).map(({ attachment }) => attachment);
            const highest = ofKey.length === 0 ? undefined : Math.max(...ofKey.map(({ version }) => version));
            expect((await found(harness, id, key))?.version).toBe(highest);
            const versions = events.flatMap((op) => ofKey.find((one) => one.op === op)?.version ?? []);
            expect(versions).toEqual([...versions].sort((a, b) => a - b));
            expect(new Set(versions).size).toBe(versions.length);
          }
          expect(await countOf(id)).toBe(new Set(choices.map(({ key }) => key)).size);
        }),
        { numRuns: 10 },
      );
    });
  });
}
