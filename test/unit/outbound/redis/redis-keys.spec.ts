import { RedisKeys } from '../../../../src/outbound/redis/redis-keys';

describe('names in Redis', () => {
  it('are the documented ones on one server', () => {
    const keys = new RedisKeys(false);
    expect(keys.attachment({ taskId: 't-1', key: 'a:b {c}' })).toBe('cb:task:t-1:attachment:a:b {c}');
    expect(keys.index('t-1')).toBe('cb:task:t-1:attachments');
    expect(keys.control('t-1')).toBe('cb:task:t-1:control');
    expect(keys.shards).toEqual([0]);
    expect(keys.shardOf('t-1')).toBe(0);
    expect(keys.journal(0)).toBe('cb:journal');
    expect(keys.deadLetters(0)).toBe('cb:dead-letters');
    expect(keys.cursor(0)).toBe('cb:cursor');
  });

  it('begin with the shard of the task in a cluster, and are the same in every release', () => {
    const keys = new RedisKeys(true);
    expect(['t-1', 't-2', 'a', 'g'].map((taskId) => keys.control(taskId).slice(0, 4))).toEqual([
      '{33}',
      '{40}',
      '{44}',
      '{06}',
    ]);
    expect(keys.index('t-1')).toMatch(/^\{\d\d\}cb:task:t-1:attachments$/);
  });

  it('begin with the prefix of the deployment, and in a cluster keep their slot', () => {
    const [single, cluster] = [new RedisKeys(false, 'staging:'), new RedisKeys(true, 'staging:')];
    for (const keys of [single, cluster]) {
      const ofTask = [...keys.ofTask('t-1'), keys.attachment({ taskId: 't-1', key: 'k' })];
      for (const name of [...ofTask, keys.journal(0), keys.deadLetters(0), keys.cursor(0)]) {
        expect(name).toMatch(/^staging:(\{\d\d\})?cb:/);
      }
    }
    expect(hashTag(cluster.index('t-1'))).toBe(hashTag(new RedisKeys(true).index('t-1')));
  });

  it('of a task tell which piece of it they are, those of another deployment nothing', () => {
    for (const isCluster of [false, true]) {
      for (const prefix of ['', 'staging:']) {
        const keys = new RedisKeys(isCluster, prefix);
        const ref = { taskId: 't-1', key: 'a:b\n:control' };
        expect(keys.parse(keys.attachment(ref))).toEqual(ref);
        expect(keys.parse(keys.control('t-1'))).toEqual({ taskId: 't-1' });
        for (const name of [keys.index('t-1'), keys.journal(0), `x${keys.control('t-1')}`, 'cb:task:t:other']) {
          expect(keys.parse(name)).toBeUndefined();
        }
      }
    }
    expect(new RedisKeys(false).parse('staging:cb:task:t-1:control')).toBeUndefined();
    expect(new RedisKeys(true).parse('{00}cb:task:t-1:control')).toBeUndefined();
  });

  it('share one slot per task, and spread over all 64 shards', () => {
    const keys = new RedisKeys(true);
    const taskIds = Array.from({ length: 2000 }, (_, i) => `t-${i}`);
    for (const taskId of taskIds) {
      const shard = keys.shardOf(taskId);
      const ofShard = [keys.journal(shard), keys.deadLetters(shard), keys.cursor(shard)];
      const names = [keys.control(taskId), keys.index(taskId), keys.attachment({ taskId, key: '{x}' }), ...ofShard];
      expect(new Set(names.map(hashTag)).size).toBe(1);
    }
    expect(new Set(taskIds.map((taskId) => hashTag(keys.control(taskId)))).size).toBe(64);
    expect(new Set(keys.shards.map((shard) => hashTag(keys.journal(shard)))).size).toBe(64);
  });
});

/**
 * The part of a name that decides its slot in Redis Cluster: the text between the first brace and the next closing one.
 */
function hashTag(name: string): string {
  const open = name.indexOf('{');
  return name.slice(open + 1, name.indexOf('}', open));
}
