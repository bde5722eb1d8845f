import { RedisAttachmentCache } from '../../../../src/outbound/redis/redis-attachment-cache';
import type { RedisConnection } from '../../../../src/outbound/redis/redis-connection';
import { RedisKeys } from '../../../../src/outbound/redis/redis-keys';
import { CountingRoom } from '../../../support/counting-room';

const MIB = 1024 * 1024;
const BOUND = 10_000;

/** Replies that have not come in. */
let pending: { readonly bytes: number; readonly arrive: () => void }[];
let sizes: (key: string) => number;
let cache: RedisAttachmentCache;

/** A server whose replies come in when the test says so. Attachments have a size, but deletions for records. */
function cacheRead(_count: number, _names: readonly string[], args: readonly (string | number)[]): Promise<string[]> {
  const reply: string[] = [];
  let total = 0;
  for (let at = 1; at < args.length;) {
    const [organization, maxBytes, count] = args.slice(at, at + 3) as [string, number, number];
    const keys = args.slice(at + 3, at + 3 + count) as string[];
    const bytes = keys.reduce((sum, key) => sum + sizes(key), 0);
    reply.push(['7', '0', '3', String(bytes), organization].join('\0'));
    if (bytes <= maxBytes) {
      reply.push(...keys.map((key) => `-${key.replace(/\D/g, '')}`));
      total += bytes;
    }
    at += 3 + count;
  }
  return new Promise((resolve) => pending.push({ bytes: total, arrive: () => resolve(reply) }));
}

const inFlight = () => pending.reduce((sum, { bytes }) => sum + bytes, 0);
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Lets replies come in until `reading` is done; returns how many bytes were ever on their way together. */
async function finish(reading: Promise<unknown>): Promise<number> {
  let isDone = false;
  let most = 0;
  void reading.finally(() => (isDone = true));
  while (!isDone) {
    await turn();
    most = Math.max(most, inFlight());
    pending.shift()?.arrive();
  }
  return most;
}

function batch(organization: string, count: number, room = new CountingRoom(BOUND)) {
  const refs = Array.from({ length: count }, (_, i) => ({ taskId: `t-${organization}`, key: `k${i}` }));
  return cache.read(refs, organization, room);
}

beforeEach(() => {
  pending = [];
  sizes = () => MIB;
  const client = { cacheRead, defineCommand: () => undefined } as unknown as RedisConnection['client'];
  cache = new RedisAttachmentCache({ client, generation: 1 } as RedisConnection, new RedisKeys(false), 1000);
});

describe('large reads from Redis', () => {
  it('of one caller leave the connection to others, however many it asks for', async () => {
    const ofA = Promise.all(Array.from({ length: 6 }, () => batch('a', 15)));
    expect(await finish(ofA)).toBe(3 * MIB);
    for (const found of await ofA) {
      expect(found.map(({ deletedVersion }) => deletedVersion)).toEqual(Array.from({ length: 15 }, (_, i) => i));
    }
  });

  it('of another caller begin at once', async () => {
    const ofA = Promise.all(Array.from({ length: 6 }, () => batch('a', 15)));
    for (let i = 0; i < 13; i++) {
      await turn();
      pending.shift()?.arrive();
    }
    await turn();
    const before = pending.length;
    const ofB = batch('b', 2);
    await turn();
    pending.splice(before, 1)[0]?.arrive();
    await turn();
    await turn();
    expect(pending).toHaveLength(before + 1);
    await finish(Promise.all([ofA, ofB]));
  });

  it('are made in parts of at most 1 MiB, even if one part has most of it', async () => {
    sizes = (key) => (Number(key.slice(1)) < 8 ? MIB / 2 : 1);
    const reading = batch('a', 100);
    expect(await finish(reading)).toBeLessThanOrEqual(3 * MIB);
    expect((await reading).map(({ deletedVersion }) => deletedVersion)).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    );
  });

  it('take room for what has grown in the meantime', async () => {
    const room = new CountingRoom(BOUND);
    const reading = batch('a', 1, room);
    await turn();
    sizes = () => 2 * MIB;
    await finish(reading);
    expect([room.questions, room.takenBytes]).toEqual([2, BOUND + 3 * MIB]);
  });
});
