import { IndexFiller } from '../../../../src/core/consistency/index-filler';
import { JsonText } from '../../../../src/core/domain/json-text';
import { OUTLINE_BYTES } from '../../../../src/core/ports/room';
import { MemoryAttachmentStore } from '../../../../src/outbound/memory/memory-attachment-store';
import { CountingRoom, NoRoom } from '../../../support/counting-room';
import { CALLER, JournalingFixture } from '../../../support/fixture';

const BODY = 'x'.repeat(900);
const ref = { taskId: 't-1', key: 'k' };

let fixture: JournalingFixture;
const list = (room: CountingRoom) =>
  fixture.useCases.listAttachments.execute(
    { taskId: 't-1', keyPrefix: '', limit: 1, offset: 0, descending: false, includeBodies: true },
    CALLER,
    room,
  );

/** The store is back, and the journal holds what it has not seen: a put of `k`, and four more attachments. */
beforeEach(async () => {
  fixture = new JournalingFixture();
  await fixture.task('t-1');
  for (const key of ['a', 'b', 'c', 'd']) await fixture.text('t-1', key, BODY);
  fixture.clock.advance(1000);
  fixture.postgres.fails = 'unavailable';
  await fixture.text('t-1', 'k', BODY);
  fixture.postgres.fails = undefined;
});

describe('what a call reads and does not show', () => {
  it('takes room for outlines and journaled changes, if the journal corrects a list', async () => {
    const room = new CountingRoom();
    fixture.clock.advance(3_600_001);
    expect(await list(room)).toMatchObject({ totalCount: 5, attachments: [{ key: 'a' }] });
    expect(room.unshown.takenBytes).toBe(5 * OUTLINE_BYTES);
    expect(room.takenBytes).toBeGreaterThanOrEqual(BODY.length);
  });

  it('makes such a list fail if there is no room for it: the list is not an empty page', async () => {
    fixture.clock.advance(3_600_001);
    await expect(list(new CountingRoom(0, Infinity, 4 * OUTLINE_BYTES))).rejects.toThrow(NoRoom);
  });

  it('takes room for the journaled attachment that a deletion finds', async () => {
    const { deleteAttachment } = fixture.useCases;
    await expect(deleteAttachment.execute(ref, CALLER, new CountingRoom(0, 0))).rejects.toThrow(NoRoom);
    const room = new CountingRoom(0, 0, Infinity);
    await deleteAttachment.execute(ref, CALLER, room);
    expect(room.unshown.takenBytes).toBeGreaterThanOrEqual(BODY.length);
  });

  it('takes room for the cached attachment that a deletion finds while no store can be asked', async () => {
    fixture.postgres.fails = 'unavailable';
    fixture.journal.append = () => Promise.resolve({ state: 'unknown' });
    await expect(fixture.useCases.deleteAttachment.execute(ref, CALLER, new CountingRoom(0, 0))).rejects.toThrow(
      NoRoom,
    );
  });

  it('takes room for the journaled attachment that a put replaces', async () => {
    const put = { ...ref, type: 'text' as const, content: 'y', condition: undefined };
    const { createAttachment } = fixture.useCases;
    await expect(createAttachment.execute(put, CALLER, new CountingRoom(0, 0))).rejects.toThrow(NoRoom);
    const room = new CountingRoom(0, 0, Infinity);
    expect(await createAttachment.execute(put, CALLER, room)).toMatchObject({ replaced: true });
    expect(room.unshown.takenBytes).toBeGreaterThanOrEqual(BODY.length);
  });
});

it('an attachment that a batch names several times takes room each time that it is shown', async () => {
  const { getAttachmentsBatch } = fixture.useCases;
  const get = (times: number, room: CountingRoom) =>
    getAttachmentsBatch.execute(
      { requests: Array(times).fill(ref) as (typeof ref)[], allowMissing: false },
      CALLER,
      room,
    );
  await expect(get(1, new CountingRoom(0, 3 * BODY.length))).resolves.toHaveProperty('attachments.length', 1);
  await expect(get(100, new CountingRoom(0, 3 * BODY.length))).rejects.toThrow(NoRoom);
});

describe('a call counts the rows that it reads', () => {
  const listTasks = (limit: number, room: CountingRoom) =>
    fixture.useCases.listTasks.execute({ limit, offset: 0, orderBy: 'createdAt', descending: false }, CALLER, room);

  it('of tasks, also if there is no room for them', async () => {
    const large = { text: 'task', metadata: JsonText.of({ text: BODY }) };
    for (const id of ['t-2', 't-3']) await fixture.useCases.createTask.execute({ ...large, id }, CALLER);
    const rooms = [new CountingRoom(), new CountingRoom(), new CountingRoom(0, 100)] as const;
    await listTasks(10, rooms[0]);
    await listTasks(2, rooms[1]);
    await expect(listTasks(10, rooms[2])).rejects.toThrow(NoRoom);
    expect(rooms.map(({ rows }) => rows)).toEqual([3, 2, 3]);
  });

  it('of attachments', async () => {
    const rooms = [new CountingRoom(), new CountingRoom()] as const;
    await list(rooms[0]);
    const requests = [ref, { ...ref, key: 'missing' }];
    await fixture.useCases.getAttachmentsBatch.execute({ requests, allowMissing: true }, CALLER, rooms[1]);
    expect(rooms.map(({ rows }) => rows)).toEqual([1, 2]);
  });
});

describe('the index of a large task is filled', () => {
  it('in parts, so that no more than one part is in memory', async () => {
    const filler = new IndexFiller(fixture.store, fixture.cache, fixture.clock, 2);
    const outlines = jest.spyOn(MemoryAttachmentStore.prototype, 'outlines');
    fixture.clock.advance(3_600_001);
    filler.start('t-1', CALLER.organization);
    await filler.idle();
    const parts = await Promise.all(outlines.mock.results.map(({ value }) => value as Promise<readonly unknown[]>));
    expect(parts.map((part) => part.length)).toEqual([2, 2, 0]);
    fixture.forgetCalls();
    expect(await fixture.list('t-1', { limit: 2 })).toMatchObject({ totalCount: 5 });
  });
});
