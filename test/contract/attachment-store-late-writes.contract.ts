import { randomUUID } from 'node:crypto';
import type { ExpiredAttachment } from '../../src/core/domain/attachment';
import { attachmentExpired, ofStored } from '../../src/core/domain/domain-event';
import type { AttachmentDeletion, AttachmentPut } from '../../src/core/ports/attachment-write';
import {
  aDeletion,
  aPut,
  deleteTree,
  found,
  NOW_MS,
  ORGANIZATION,
  TIMEOUT_MS,
  type PutOptions,
  type StoreHarness,
} from './attachment-store.harness';

const EXPIRES_MS = NOW_MS + 5000;

/** Writes that reach the store late or more than once: forced deletions, and writes that the journal has accepted. */
export function describeLateWrites(open: () => { harness: StoreHarness; taskId: string }): void {
  let harness: StoreHarness;
  let taskId: string;
  beforeEach(() => ({ harness, taskId } = open()));

  const newPut = (options?: PutOptions, ttlSeconds?: number) => aPut({ taskId, ttlSeconds }, options);
  const newDeletion = (version: number, options?: { force?: boolean; nowMs?: number }) =>
    aDeletion(taskId, 'k', version, options);
  const put = (one: AttachmentPut) => harness.attachments.put(one, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
  const remove = (deletion: AttachmentDeletion, nowMs = NOW_MS) =>
    harness.attachments.delete(deletion, ORGANIZATION, undefined, nowMs, TIMEOUT_MS);
  const force = (version: number, nowMs = NOW_MS) => remove(newDeletion(version, { force: true, nowMs }), nowMs);
  const drainPut = (one: AttachmentPut, organization = ORGANIZATION) =>
    harness.attachments.drain({ organization, put: one });
  const drainDeletion = (deletion: AttachmentDeletion) =>
    harness.attachments.drain({ organization: ORGANIZATION, deletion });
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

  describe('a forced deletion', () => {
    it('leaves a tombstone if nothing is there, so that no older put takes effect', async () => {
      const deletion = newDeletion(1004, { force: true });
      const outcome = await remove(deletion);
      expect(outcome).toEqual({ state: 'applied' });
      expect(await put(newPut({ version: 1002 }))).toEqual(superseded(1004));
      expect(await count()).toBe(0);
      expect(await announced()).toEqual([deletion.event]);
    });

    it('replaces an older tombstone, and no other', async () => {
      await force(1004);
      expect(await force(1008)).toEqual({ state: 'applied' });
      expect(await put(newPut({ version: 1006 }))).toEqual(superseded(1008));
      expect(await force(1008)).toEqual(superseded(1008));
      expect(await force(1002)).toEqual(superseded(1008));
      expect(await announced()).toHaveLength(2);
    });

    it('treats an expired attachment as absent, and announces its expiry first', async () => {
      const first = newPut({ version: 1000 }, 5);
      await put(first);
      const deletion = newDeletion(1004, { force: true });
      expect(await remove(deletion, EXPIRES_MS)).toEqual({ state: 'applied' });
      expect(await put(newPut({ version: 1002 }))).toEqual(superseded(1004));
      expect(await count()).toBe(0);
      expect(await announced()).toEqual([first.event, expiryOf(first), deletion.event]);
    });

    it('deletes an older live attachment', async () => {
      const first = newPut({ version: 1002 });
      await put(first);
      expect(await force(1002)).toEqual(superseded(1002));
      expect(await force(1004)).toEqual({ state: 'applied', attachmentId: first.attachment.id });
      expect(await found(harness, taskId)).toBeUndefined();
      expect(await count()).toBe(0);
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
      await force(1002);
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
      expect(await force(1006)).toEqual(superseded(1006));
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

    it('changes nothing in a task of another organisation', async () => {
      const one = newPut();
      expect(await drainPut(one, randomUUID())).toEqual({ state: 'superseded' });
      expect(await found(harness, taskId)).toBeUndefined();
      expect(await records(one)).toEqual([recordedForNobody]);
    });
  });
}
