import { randomUUID } from 'node:crypto';
import type { ExpiredAttachment } from '../../src/core/domain/attachment';
import { attachmentExpired, ofStored } from '../../src/core/domain/domain-event';
import type { JournaledWrite } from '../../src/core/ports/attachment-journal';
import type { WriteCondition } from '../../src/core/ports/attachment-store';
import type { AttachmentDeletion, AttachmentPut, JournaledState } from '../../src/core/ports/attachment-write';
import {
  aDeletion,
  aPut,
  deleteTree,
  drainOne,
  found,
  NOW_MS,
  ORGANIZATION,
  TIMEOUT_MS,
  type PutOptions,
  type StoreHarness,
} from './attachment-store.harness';

const EXPIRES_MS = NOW_MS + 5000;

/** Writes that the journal has accepted: they reach the store late, or more than once. */
export function describeLateWrites(open: () => { harness: StoreHarness; taskId: string }): void {
  let harness: StoreHarness;
  let taskId: string;
  beforeEach(() => ({ harness, taskId } = open()));

  const newPut = (options?: PutOptions, ttlSeconds?: number) => aPut({ taskId, ttlSeconds }, options);
  const newDeletion = (version: number, options?: { nowMs?: number }) => aDeletion(taskId, 'k', version, options);
  const put = (one: AttachmentPut) => harness.attachments.put(one, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
  const remove = (deletion: AttachmentDeletion, nowMs = NOW_MS) =>
    harness.attachments.delete(deletion, ORGANIZATION, undefined, nowMs, TIMEOUT_MS);
  const drainPut = (one: AttachmentPut, organization = ORGANIZATION) => drainOne(harness, { organization, put: one });
  const drainDeletion = (deletion: AttachmentDeletion) => drainOne(harness, { organization: ORGANIZATION, deletion });
  const announced = async () => (await harness.eventsOf(taskId)).slice(1);
  const records = ({ event }: AttachmentPut | AttachmentDeletion) => harness.recordsOf(event.metadata.eventId);
  const count = async () => (await harness.tasks.get(taskId, ORGANIZATION, NOW_MS, TIMEOUT_MS))?.attachmentCount;
  const identityOf = ({ attachment: { id, createdAtMs, createdBy } }: AttachmentPut) => ({
    id,
    createdAtMs,
    createdBy,
  });
  const expiryOf = ({ attachment }: AttachmentPut) => attachmentExpired(attachment as ExpiredAttachment);
  const superseded = (version: number) => ({ state: 'superseded', version });

  const recorded = { superseded: false, published: false };
  const recordedLate = { superseded: true, published: false };
  const recordedForNobody = { superseded: true, published: true };

  describe('a write over what the journal holds', () => {
    const journaledPut = (version: number, ttlSeconds?: number) => newPut({ version }, ttlSeconds);
    const over = ({ attachment }: AttachmentPut) => ({ version: attachment.version, attachment });

    it('replaces a journaled attachment that is newer than the stored one', async () => {
      await put(newPut({ version: 1000 }));
      const journaled = journaledPut(1004);
      const next = newPut({ version: 1006 });
      const outcome = await put({ ...next, over: over(journaled) });
      expect(outcome).toEqual({ state: 'applied', identity: identityOf(journaled), replaced: true });
      expect(await count()).toBe(1);
      expect((await announced()).at(-1)).toEqual(ofStored(next.event, journaled.attachment.id));
      expect(await drainPut(journaled)).toEqual({ state: 'superseded' });
      expect(await count()).toBe(1);
    });

    it('counts a journaled attachment that only the journal has', async () => {
      const journaled = journaledPut(1004);
      expect(await put({ ...newPut({ version: 1006 }), over: over(journaled) })).toMatchObject({ replaced: true });
      expect(await count()).toBe(1);
    });

    it('deletes what only the journal has, and leaves a tombstone', async () => {
      const journaled = journaledPut(1004);
      const deletion = { ...newDeletion(1006), over: over(journaled) };
      expect(await remove(deletion)).toEqual({ state: 'applied', attachmentId: journaled.attachment.id });
      expect(await count()).toBe(0);
      expect(await drainPut(journaled)).toEqual({ state: 'superseded' });
      expect((await announced()).at(0)).toEqual(ofStored(deletion.event, journaled.attachment.id));
    });

    it('finds nothing to delete if the journal has a deletion, and replaces nothing', async () => {
      await put(newPut({ version: 1000 }));
      const deleted = { version: 1004 };
      expect(await remove({ ...newDeletion(1006), over: deleted })).toEqual({ state: 'attachment-missing' });
      const next = newPut({ version: 1008 });
      const outcome = await put({ ...next, over: deleted });
      expect(outcome).toEqual({ state: 'applied', identity: identityOf(next), replaced: false });
      expect(await count()).toBe(1);
      expect((await announced()).at(-1)).toEqual(next.event);
    });

    it('is judged by its condition on what the journal holds', async () => {
      await put(newPut({ version: 1000 }));
      const journaled = over(journaledPut(1004));
      const next = (condition: WriteCondition, state: JournaledState) => {
        const one = { ...newPut({ version: 1006 }), over: state };
        return harness.attachments.put(one, ORGANIZATION, condition, NOW_MS, TIMEOUT_MS);
      };
      const failed = (currentVersion: number | null) => ({ state: 'condition-failed', currentVersion });
      expect(await next({ ifVersion: 1000 }, journaled)).toEqual(failed(1004));
      expect(await next({ ifAbsent: true }, journaled)).toEqual(failed(1004));
      expect(await next({ ifVersion: 1000 }, { version: 1004 })).toEqual(failed(null));
      expect(await next({ ifVersion: 1004 }, journaled)).toMatchObject({ state: 'applied', replaced: true });
    });

    it('is applied if it must be absent and the journal has deleted it', async () => {
      await put(newPut({ version: 1000 }));
      const one = { ...newPut({ version: 1006 }), over: { version: 1004 } };
      const outcome = await harness.attachments.put(one, ORGANIZATION, { ifAbsent: true }, NOW_MS, TIMEOUT_MS);
      expect(outcome).toMatchObject({ state: 'applied', replaced: false });
    });

    it('is superseded by what the journal holds if its version is not higher', async () => {
      const journaled = over(journaledPut(1004));
      expect(await put({ ...newPut({ version: 1004 }), over: journaled })).toEqual(superseded(1004));
      expect(await remove({ ...newDeletion(1002), over: journaled })).toEqual(superseded(1004));
      expect(await announced()).toEqual([]);
    });

    it('is judged by the store if that has something newer', async () => {
      const stored = newPut({ version: 1006 });
      await put(stored);
      const next = { ...newPut({ version: 1008 }), over: { version: 1004 } };
      expect(await put(next)).toMatchObject({ replaced: true, identity: identityOf(stored) });
    });

    it('treats a journaled attachment that has expired as absent', async () => {
      const brief = over(journaledPut(1004, 5));
      expect(await remove({ ...newDeletion(1006), over: brief }, EXPIRES_MS)).toEqual({ state: 'attachment-missing' });
      const next = { ...newPut({ version: 1006, nowMs: EXPIRES_MS }), over: brief };
      const outcome = await harness.attachments.put(next, ORGANIZATION, undefined, EXPIRES_MS, TIMEOUT_MS);
      expect(outcome).toMatchObject({ state: 'applied', replaced: false });
    });

    it('announces the expiry of a stored attachment that it replaces', async () => {
      const first = newPut({ version: 1000 }, 5);
      await put(first);
      const deletion = { ...newDeletion(1006), over: over(journaledPut(1004)) };
      expect(await remove(deletion, EXPIRES_MS)).toMatchObject({ state: 'applied' });
      expect((await announced()).slice(0, 2)).toEqual([first.event, expiryOf(first)]);
      expect(await count()).toBe(0);
    });
  });

  describe('entries that are drained together', () => {
    const drain = (...writes: JournaledWrite[]) => harness.attachments.drain(writes);
    const entry = (key: string, version: number) => {
      const one = aPut({ taskId, key }, { version });
      return { one, write: { organization: ORGANIZATION, put: one } };
    };

    it('each have an outcome of their own, in their order', async () => {
      await put(newPut({ version: 2000 }));
      const fresh = entry('fresh', 1000);
      const late = entry('k', 1500);
      const newer = entry('k', 2500);
      const deletion = aDeletion(taskId, 'gone', 1000);
      const outcomes = await drain(late.write, fresh.write, { organization: ORGANIZATION, deletion }, newer.write, {
        organization: 'another',
        put: aPut({ taskId, key: 'foreign' }),
      });
      expect(outcomes.map(({ state }) => state)).toEqual([
        'superseded',
        'applied',
        'applied',
        'applied',
        'task-missing',
      ]);
      expect(outcomes[1]).toEqual({ state: 'applied', identity: identityOf(fresh.one) });
      expect((await found(harness, taskId))?.version).toBe(2500);
      expect((await found(harness, taskId, 'fresh'))?.version).toBe(1000);
      expect(await found(harness, taskId, 'foreign')).toBeUndefined();
      expect(await count()).toBe(2);
    });

    it('of one key keep the identity of the first', async () => {
      const [first, second] = [entry('twice', 1000), entry('twice', 1002)];
      const outcomes = await drain(first.write, second.write);
      expect(outcomes).toEqual([
        { state: 'applied', identity: identityOf(first.one) },
        { state: 'applied', identity: identityOf(first.one) },
      ]);
      expect(await announced()).toEqual([first.one.event, ofStored(second.one.event, first.one.attachment.id)]);
      expect(await count()).toBe(1);
    });

    it('are recorded once, however often they are drained', async () => {
      const all = ['a', 'b', 'c'].map((key, i) => entry(key, 1000 + 2 * i));
      const once = await drain(...all.map(({ write }) => write));
      expect(await drain(...all.map(({ write }) => write))).toEqual(once);
      expect(await announced()).toEqual(all.map(({ one }) => one.event));
      expect(await count()).toBe(3);
    });
  });

  describe('a drained put', () => {
    it('is applied and announced once, however often it is drained', async () => {
      const one = newPut();
      for (let i = 0; i < 2; i++) {
        expect(await drainPut(one)).toEqual({ state: 'applied', identity: identityOf(one) });
        expect(await found(harness, taskId)).toEqual(one.attachment);
        expect(await records(one)).toEqual([recorded]);
      }
      expect(await announced()).toEqual([one.event]);
      expect(await count()).toBe(1);
    });

    it('keeps the identity of what it replaces, even if it is drained again', async () => {
      const first = newPut({ version: 1000 });
      await put(first);
      const second = newPut({ version: 1002, nowMs: NOW_MS + 1000, by: 'bob' });
      for (let i = 0; i < 2; i++) {
        expect(await drainPut(second)).toEqual({ state: 'applied', identity: identityOf(first) });
      }
      expect(await found(harness, taskId)).toEqual({ ...second.attachment, ...identityOf(first) });
      expect(await announced()).toEqual([first.event, ofStored(second.event, first.attachment.id)]);
    });

    it('counts as applied if its first attempt took effect after all', async () => {
      const one = newPut();
      await put(one);
      expect(await drainPut(one)).toEqual({ state: 'applied', identity: identityOf(one) });
      expect(await announced()).toEqual([one.event]);
    });

    it.each([1000, 1002])('changes nothing if the version %d is stored, but is still announced', async (version) => {
      const first = newPut({ version });
      await put(first);
      const late = newPut({ version: 1000 });
      for (let i = 0; i < 2; i++) {
        expect(await drainPut(late)).toEqual({ state: 'superseded' });
        expect(await records(late)).toEqual([recordedLate]);
      }
      expect(await found(harness, taskId)).toEqual(first.attachment);
      expect(await announced()).toEqual([first.event, late.event]);
    });

    it('is superseded by a newer deletion, and replaces an older one', async () => {
      await drainDeletion(newDeletion(1002));
      expect(await drainPut(newPut({ version: 1000 }))).toEqual({ state: 'superseded' });
      expect(await found(harness, taskId)).toBeUndefined();
      const newer = newPut({ version: 1004 });
      expect(await drainPut(newer)).toEqual({ state: 'applied', identity: identityOf(newer) });
      expect(await found(harness, taskId)).toEqual(newer.attachment);
      expect(await count()).toBe(1);
    });

    it('is superseded if a newer write came after it was applied, and stays announced as it was', async () => {
      const one = newPut({ version: 1000 });
      await drainPut(one);
      const next = newPut({ version: 1002 });
      await put(next);
      expect(await drainPut(one)).toEqual({ state: 'superseded' });
      expect(await records(one)).toEqual([recorded]);
      expect(await found(harness, taskId)).toMatchObject({ version: 1002 });
      await remove(newDeletion(1004));
      expect(await drainPut(one)).toEqual({ state: 'superseded' });
      expect(await records(one)).toEqual([recorded]);
    });

    it('is judged by the time of the write', async () => {
      const first = newPut({ version: 1000 }, 5);
      await put(first);
      const inTime = newPut({ version: 1002, nowMs: EXPIRES_MS - 1 }, 5);
      expect(await drainPut(inTime)).toEqual({ state: 'applied', identity: identityOf(first) });
      const tooLate = newPut({ version: 1004, nowMs: EXPIRES_MS + 5000 });
      expect(await drainPut(tooLate)).toEqual({ state: 'applied', identity: identityOf(tooLate) });
      const expired = { ...inTime, attachment: { ...inTime.attachment, ...identityOf(first) } };
      expect((await announced()).slice(2)).toEqual([expiryOf(expired), tooLate.event]);
      expect(await count()).toBe(1);
    });

    it('is stored and announced like any other, even if it has already expired', async () => {
      const one = newPut({ version: 1000, nowMs: NOW_MS - 60_000 }, 5);
      expect(await drainPut(one)).toEqual({ state: 'applied', identity: identityOf(one) });
      expect(await found(harness, taskId)).toBeUndefined();
      expect(await drainPut(one)).toEqual({ state: 'applied', identity: identityOf(one) });
      expect(await announced()).toEqual([one.event]);
    });
  });

  describe('a drained deletion', () => {
    it('is applied and announced once, however often it is drained', async () => {
      const first = newPut({ version: 1000 });
      await put(first);
      const deletion = newDeletion(1002);
      for (let i = 0; i < 2; i++) {
        expect(await drainDeletion(deletion)).toEqual({ state: 'applied' });
        expect(await found(harness, taskId)).toBeUndefined();
        expect(await records(deletion)).toEqual([recorded]);
      }
      expect(await announced()).toEqual([first.event, ofStored(deletion.event, first.attachment.id)]);
      expect(await count()).toBe(0);
    });

    it('leaves a tombstone if nothing is there, so that no older put takes effect', async () => {
      const deletion = newDeletion(1004);
      expect(await drainDeletion(deletion)).toEqual({ state: 'applied' });
      expect(await put(newPut({ version: 1002 }))).toEqual(superseded(1004));
      expect(await records(deletion)).toEqual([recorded]);
      expect(await count()).toBe(0);
    });

    it('replaces an older tombstone, and no other', async () => {
      await put(newPut({ version: 1000 }));
      await remove(newDeletion(1002));
      expect(await drainDeletion(newDeletion(1006))).toEqual({ state: 'applied' });
      expect(await put(newPut({ version: 1004 }))).toEqual(superseded(1006));
      const late = newDeletion(1004);
      expect(await drainDeletion(late)).toEqual({ state: 'superseded' });
      expect(await records(late)).toEqual([recordedLate]);
      expect(await drainDeletion(newDeletion(1006))).toEqual({ state: 'superseded' });
      expect(await count()).toBe(0);
    });

    it('treats an attachment that had expired at the time of the write as absent, and announces the expiry first', async () => {
      const first = newPut({ version: 1000 }, 5);
      await put(first);
      const deletion = newDeletion(1002, { nowMs: EXPIRES_MS });
      expect(await drainDeletion(deletion)).toEqual({ state: 'applied' });
      expect(await announced()).toEqual([first.event, expiryOf(first), deletion.event]);
      expect(await count()).toBe(0);
    });

    it('leaves a newer attachment as it is', async () => {
      const first = newPut({ version: 1004 });
      await put(first);
      const late = newDeletion(1002);
      expect(await drainDeletion(late)).toEqual({ state: 'superseded' });
      expect(await found(harness, taskId)).toEqual(first.attachment);
      expect(await records(late)).toEqual([recordedLate]);
    });
  });

  describe('a drained write to a missing task', () => {
    it('is not announced if the task has been deleted', async () => {
      await deleteTree(harness, taskId);
      const [one, deletion] = [newPut({ version: 5000 }), newDeletion(5002)];
      for (let i = 0; i < 2; i++) {
        expect(await drainPut(one)).toEqual({ state: 'superseded' });
        expect(await drainDeletion(deletion)).toEqual({ state: 'superseded' });
        expect([await records(one), await records(deletion)]).toEqual([[recordedForNobody], [recordedForNobody]]);
      }
      expect(await found(harness, taskId)).toBeUndefined();
    });

    it('stays announced if it was applied before the deletion of the task', async () => {
      const one = newPut();
      await drainPut(one);
      await deleteTree(harness, taskId);
      expect(await drainPut(one)).toEqual({ state: 'superseded' });
      expect(await records(one)).toEqual([recorded]);
    });

    it('changes nothing in a task of another organisation, and is not recorded', async () => {
      const one = newPut();
      expect(await drainPut(one, randomUUID())).toEqual({ state: 'task-missing' });
      expect(await found(harness, taskId)).toBeUndefined();
      expect(await records(one)).toEqual([]);
    });

    it('says so if the store has never had the task, delays no other write, and is not recorded', async () => {
      const lost = aPut({ taskId: randomUUID(), key: 'k' });
      const deletion = aDeletion(lost.attachment.taskId, 'other', 1002);
      const one = newPut();
      const writes = [{ put: lost }, { deletion }, { put: one }].map((write) => ({
        organization: ORGANIZATION,
        ...write,
      }));
      const missing = { state: 'task-missing' };
      const stored = { state: 'applied', identity: identityOf(one) };
      for (let i = 0; i < 2; i++) expect(await harness.attachments.drain(writes)).toEqual([missing, missing, stored]);
      expect(await harness.eventsOf(lost.attachment.taskId)).toEqual([]);
    });
  });
}
