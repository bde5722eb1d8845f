import { JsonText } from '../../src/core/domain/json-text';
import type { Attachment } from '../../src/core/domain/attachment';
import type { AttachmentCache } from '../../src/core/ports/attachment-cache';
import { OUTLINE_BYTES } from '../../src/core/ports/room';
import type { AttachmentJournal } from '../../src/core/ports/attachment-journal';
import { MemoryAttachmentCache } from '../../src/outbound/memory/memory-attachment-cache';
import { JournalingFixture } from '../support/fixture';
import { openRedisHarness } from '../support/redis-cache-harness';
import { TaskInCache } from '../support/task-in-cache';
import { TaskInJournal } from '../support/task-in-journal';
import {
  aPut,
  HARNESSES,
  NOW_MS,
  ORGANIZATION,
  storedTask,
  TIMEOUT_MS,
  type StoreHarness,
} from './attachment-store.harness';
import { describeRoom, type RoomyRead } from './room.contract';

const HOUR_MS = 3_600_000;
const KEYS = ['a', 'b', 'c'];
const BODY = 'x'.repeat(1000);
const URL = `https://example.org/${'x'.repeat(1000)}`;
const BODY_BYTES = KEYS.length * BODY.length;
const OUTLINE_SIZE = KEYS.length * (OUTLINE_BYTES + URL.length);
const PAGE = { limit: 10, offset: 0, descending: false, includeBodies: true, known: [] };

const bodiesOf = (found: readonly (Attachment | undefined | null)[] = []) =>
  found.reduce((sum, one) => sum + (one?.content?.length ?? 0), 0);
const outlinesOf = (found: readonly (Attachment | undefined | null)[] = []) =>
  found.reduce((sum, one) => sum + OUTLINE_BYTES + (one?.url?.length ?? 0), 0);

for (const [name, open] of HARNESSES) {
  describe(`a store ${name}`, () => {
    let harness: StoreHarness;
    beforeAll(async () => {
      harness = await open();
    });
    afterAll(() => harness?.close());

    const reads = async (): Promise<RoomyRead[]> => {
      const { attachments, tasks } = harness;
      const guesses = name !== 'in memory';
      const metadata = JsonText.of({ x: BODY });
      const { id: taskId } = await storedTask(harness, { metadata });
      const { id: withUrls } = await storedTask(harness, {}, 'of another organisation');
      for (const key of KEYS) {
        const body = aPut({ taskId, key, type: 'text', content: BODY });
        await attachments.put(body, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
        const url = aPut({ taskId: withUrls, key, type: 'url', url: URL });
        await attachments.put(url, 'of another organisation', undefined, NOW_MS, TIMEOUT_MS);
      }
      const about = { taskId, organization: ORGANIZATION, nowMs: NOW_MS };
      return [
        {
          name: 'find',
          bytes: BODY_BYTES,
          guesses,
          read: async (room) => {
            const refs = KEYS.map((key) => ({ taskId, key }));
            const { found } = await attachments.find(refs, ORGANIZATION, NOW_MS, TIMEOUT_MS, room);
            return bodiesOf(found.map(({ attachment }) => attachment));
          },
        },
        {
          name: 'list',
          bytes: BODY_BYTES,
          guesses,
          read: async (room) =>
            bodiesOf((await attachments.list({ ...about, ...PAGE, keyPrefix: '', room }, TIMEOUT_MS))?.attachments),
        },
        {
          name: 'outlines',
          bytes: OUTLINE_SIZE,
          guesses,
          read: async (room) => {
            const query = { ...about, taskId: withUrls, organization: 'of another organisation', room };
            return outlinesOf(await attachments.outlines(query, TIMEOUT_MS));
          },
        },
        {
          name: 'list of tasks',
          bytes: metadata.sizeBytes,
          guesses,
          read: async (room) => {
            const query = { organization: ORGANIZATION, limit: 10, offset: 0, nowMs: NOW_MS, room } as const;
            const page = await tasks.list({ ...query, orderBy: 'createdAt', descending: false }, TIMEOUT_MS);
            return page.tasks.reduce((sum, { task }) => sum + task.metadata.sizeBytes, 0);
          },
        },
      ];
    };
    describeRoom(name, reads, ['find', 'list', 'outlines', 'list of tasks']);
  });
}

async function readsOf(cache: AttachmentCache, guesses: boolean): Promise<RoomyRead[]> {
  const task = new TaskInCache(cache);
  await task.fill(KEYS.map((key) => task.sample(key, 2, { content: BODY })));
  const about = { taskId: task.id, organization: ORGANIZATION, nowMs: NOW_MS };
  return [
    {
      name: 'read',
      bytes: BODY_BYTES,
      guesses,
      read: async (room) => {
        const refs = KEYS.map((key) => ({ taskId: task.id, key }));
        return bodiesOf((await cache.read(refs, ORGANIZATION, room)).map(({ attachment }) => attachment));
      },
    },
    {
      name: 'page',
      bytes: BODY_BYTES,
      guesses,
      read: async (room) => {
        const { page } = await cache.readPage({ ...about, page: PAGE, room });
        return bodiesOf(page?.entries.map(({ attachment }) => attachment));
      },
    },
  ];
}

const MEMORY_LIMITS = { ttlMs: HOUR_MS, maxTasks: 100, maxBytes: 1024 ** 2, isStoreShared: false };
const memoryReads = () => readsOf(new MemoryAttachmentCache({ nowMs: () => NOW_MS }, MEMORY_LIMITS), false);
describeRoom('a cache in memory', memoryReads, ['read', 'page']);

describe('a model of Redis', () => {
  const reads = async (): Promise<RoomyRead[]> => {
    const fixture = new JournalingFixture();
    return withJournal(fixture.cache, fixture.journal, false);
  };
  describeRoom('the model', reads, ['read', 'page', 'journaled changes']);
});

describe('a cache in Redis', () => {
  let harness: Awaited<ReturnType<typeof openRedisHarness>>;
  beforeAll(async () => {
    harness = await openRedisHarness({ isCluster: false });
  });
  afterAll(() => harness?.close());

  const reads = () => withJournal(harness.cache(HOUR_MS), harness.journal(HOUR_MS), true);
  describeRoom('Redis', reads, ['read', 'page', 'journaled changes']);
});

async function withJournal(cache: AttachmentCache, journal: AttachmentJournal, guesses: boolean) {
  const task = new TaskInJournal(cache, journal);
  const floor = await task.fill([]);
  for (const key of KEYS) await task.appendPut(key, floor + 2, { type: 'url', url: URL });
  const journaled: RoomyRead = {
    name: 'journaled changes',
    bytes: OUTLINE_SIZE,
    guesses,
    read: async (room) => {
      const found = await cache.readPage({ taskId: task.id, organization: ORGANIZATION, nowMs: NOW_MS, room });
      return outlinesOf(found.journaled?.map(({ attachment }) => attachment));
    },
  };
  return [...(await readsOf(cache, guesses)), journaled];
}
