import { ReplyError } from 'ioredis';
import type { RedisConnection } from '../../../../src/outbound/redis/redis-connection';
import { RedisEpoch } from '../../../../src/outbound/redis/redis-epoch';
import { RedisKeys } from '../../../../src/outbound/redis/redis-keys';
import { SharedReads } from '../../../../src/outbound/redis/shared-reads';

const ORGANIZATION = 'acme';
const replyError = (message: string) => new (ReplyError as unknown as new (message: string) => Error)(message);

describe('SharedReads', () => {
  let scripts: string[][];
  let failureOf: (taskIds: readonly string[]) => Error | undefined;
  let isCluster: boolean;
  let reads: SharedReads;

  const start = () => {
    const keys = new RedisKeys(isCluster);
    const cacheRead = (count: number, names: readonly string[], args: readonly (string | number)[]) => {
      expect(names).toHaveLength(count);
      const taskIds = names.slice(1, -1).flatMap((name) => /cb:task:(.*):control$/.exec(name)?.[1] ?? []);
      scripts.push(taskIds);
      const failure = failureOf(taskIds);
      if (failure) return Promise.reject(failure);
      const reply: string[] = [];
      // For each task: organisation, bytes, number of keys, keys.
      for (let at = 1; at < args.length; at += 3 + Number(args[at + 2])) {
        const records = Array.from({ length: Number(args[at + 2]) }, (_, i) => `-${i}`);
        reply.push(['7', '0', '3', '0', ORGANIZATION].join('\0'), ...records);
      }
      return Promise.resolve(reply);
    };
    const client = { cacheRead } as unknown as RedisConnection['client'];
    reads = new SharedReads(client, keys, new RedisEpoch({ generation: 1 }));
  };
  const read = (taskId: string, keys = ['a'], maxBytes = 100) =>
    reads.read({ taskId, organization: ORGANIZATION, keys, maxBytes });

  beforeEach(() => {
    [scripts, isCluster] = [[], false];
    failureOf = () => undefined;
    start();
  });

  it('reads of one iteration of the event loop share a script, and each gets what it asked for', async () => {
    const found = await Promise.all([read('t-1', ['a', 'b']), read('t-2', []), read('t-1', ['c'])]);
    expect(scripts).toEqual([['t-1', 't-2', 't-1']]);
    expect(found.map(({ attachments }) => attachments?.map(({ deletedVersion }) => deletedVersion))).toEqual([
      [0, 1],
      [],
      [0],
    ]);
    expect(found[0]?.about).toEqual({
      token: { floor: 7, generation: 1 },
      cursor: 3,
      organization: ORGANIZATION,
      deleted: false,
    });
    await read('t-3');
    expect(scripts).toHaveLength(2);
  });

  it('each part of a cluster has a script of its own', async () => {
    isCluster = true;
    start();
    const taskIds = ['t-1', 't-2', 't-3', 't-1'];
    await Promise.all(taskIds.map((taskId) => read(taskId)));
    const keys = new RedisKeys(true);
    expect(scripts).toHaveLength(new Set(taskIds.map((taskId) => keys.shardOf(taskId))).size);
    expect(scripts.flat().sort()).toEqual([...taskIds].sort());
  });

  it.each([
    [
      'keys',
      () =>
        read(
          't-1',
          Array.from({ length: 120 }, (_, i) => `k-${i}`),
        ),
    ],
    ['bytes', () => reads.read({ taskId: 't-1', organization: ORGANIZATION, keys: [], maxBytes: 1_500_000 })],
  ])('one script does not read too many %s at once', async (_, large) => {
    await Promise.all([large(), large(), large()]);
    expect(scripts).toEqual([['t-1'], ['t-1'], ['t-1']]);
  });

  it('a script that Redis refuses is run again for each read alone', async () => {
    failureOf = (taskIds) =>
      taskIds.includes('t-2') ? replyError("OOM command not allowed when used memory > 'maxmemory'.") : undefined;
    const outcomes = await Promise.allSettled([read('t-1'), read('t-2'), read('t-3')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { name: 'StoreError', store: 'redis', outcome: 'failed' } });
    expect(scripts).toHaveLength(4);
  });

  it('a connection that breaks fails all reads, and nothing is sent again', async () => {
    failureOf = () => new Error('Connection is closed.');
    const outcomes = await Promise.allSettled([read('t-1'), read('t-2')]);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { outcome: 'unavailable' } });
    expect(scripts).toHaveLength(1);
  });
});
