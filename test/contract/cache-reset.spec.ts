import { randomUUID } from 'node:crypto';
import { attachmentCreated } from '../../src/core/domain/domain-event';
import { versionAt } from '../../src/core/domain/version';
import type { CachedTask } from '../../src/core/ports/attachment-cache';
import { CacheReset } from '../../src/outbound/redis/cache-reset';
import { RedisKeys } from '../../src/outbound/redis/redis-keys';
import { openRedisHarness, type RedisCacheHarness } from '../support/redis-cache-harness';
import { sampleAttachment } from '../support/sample-attachment';

const HOUR_MS = 3_600_000;

describe.each([
  ['on one server', false],
  ['in a cluster', true],
])('a reset of the cache %s', (_, isCluster) => {
  let harness: RedisCacheHarness;
  let reset: CacheReset;
  let taskId: string;
  beforeAll(async () => {
    harness = await openRedisHarness({ isCluster });
    reset = new CacheReset(harness.client, harness.keys);
  });
  afterAll(() => harness?.close());
  beforeEach(() => (taskId = `t-${randomUUID()}`));
  afterEach(async () => void (await reset.run()));

  const cache = () => harness.cache(HOUR_MS);
  const read = async (key: string) => (await cache().read([{ taskId, key }], 'acme'))[0];
  const fill = async (keys: readonly string[], withBodies = true): Promise<CachedTask> => {
    const about = await cache().readTask(taskId);
    const attachments = keys.map((key) => sampleAttachment({ taskId, key }));
    await cache().fill([{ taskId, organization: 'acme', token: about.token, attachments, withBodies, complete: true }]);
    return about;
  };
  const pieces = () => {
    const [control, index, prefix] = harness.keys.ofTask(taskId);
    return Promise.all([control, index, `${prefix}a`, `${prefix}b`].map((name) => harness.client.exists(name)));
  };

  it('leaves nothing of what was cached, and what a reader has in its hands is not filled in', async () => {
    await fill(['a', 'b']);
    const { token } = await cache().readTask(taskId);
    expect(await reset.count()).toBe(1);
    expect(await reset.run()).toBe(1);
    expect(await pieces()).toEqual([0, 0, 0, 0]);
    const late = { taskId, organization: 'acme', token, withBodies: true, complete: true };
    await cache().readTask(taskId);
    await cache().fill([{ ...late, attachments: [sampleAttachment({ taskId, key: 'a' })] }]);
    expect((await read('a'))?.attachment).toBeUndefined();
    await fill(['a']);
    expect((await read('a'))?.attachment).toMatchObject({ key: 'a' });
  });

  it('keeps what is journaled, which is drained as before, and believes nothing else of its task', async () => {
    await fill(['a', 'b']);
    const attachment = sampleAttachment({
      taskId,
      key: 'b',
      version: versionAt(Date.now() + 10_000),
      content: 'newer',
    });
    const write = { organization: 'acme', put: { attachment, event: attachmentCreated(attachment, 'replica-1') } };
    const journal = harness.journal(HOUR_MS);
    expect(await journal.append(write, Date.now())).toMatchObject({ state: 'journaled' });
    await reset.run();
    expect((await read('a'))?.attachment).toBeUndefined();
    expect(await read('b')).toMatchObject({ journaled: true, attachment: { content: 'newer' } });
    const [[entry] = []] = await journal.oldest();
    expect(entry).toMatchObject({ op: attachment.op });
    expect(await journal.settle([{ entry: entry as never, outcome: { state: 'applied' } }])).toBe(1);
    expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: 0 });
  });

  it('removes bodies whose record is gone, and pieces of a wrong type', async () => {
    await fill(['a', 'b']);
    await harness.client.del(harness.keys.control(taskId));
    await reset.run();
    expect(await pieces()).toEqual([0, 0, 0, 0]);
    await harness.client.set(harness.keys.control(taskId), 'foreign');
    await reset.run();
    expect(await pieces()).toEqual([0, 0, 0, 0]);
  });

  it('touches nothing of another deployment in the same Redis, nor the journal and the owner', async () => {
    const other = new RedisKeys(isCluster, 'staging:');
    const names = [other.control(taskId), other.attachment({ taskId, key: 'a' })];
    const own = [harness.keys.owner(0), harness.keys.cursor(0)];
    for (const name of names) await harness.client.hset(name, 'f', '1');
    await harness.client.hset(own[0] as string, 'database', 'd', 'epoch', 'e');
    await harness.client.set(own[1] as string, '7');
    await reset.run();
    for (const name of [...names, ...own]) expect(await harness.client.exists(name)).toBe(1);
    expect(await new CacheReset(harness.client, other).run()).toBe(1);
    for (const name of names) expect(await harness.client.exists(name)).toBe(0);
    for (const name of own) await harness.client.del(name);
  });
});
