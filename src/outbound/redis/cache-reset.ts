import { Cluster, type Redis, type Result } from 'ioredis';
import { defineReadingScripts, type ScriptArguments } from './lua-scripts';
import { orStoreError } from './redis-error';
import type { RedisKeys } from './redis-keys';

/** How many names Redis looks at in one step, and how many scripts are on their way at once. */
const STEP = 500;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    cacheReset(
      owner: string,
      control: string,
      index: string,
      attachmentPrefix: string,
      args: ScriptArguments,
    ): Result<null, Context>;
  }
}

/** Empties the cache, beside replicas that use it: what is journaled stays, and so does to whom Redis belongs. */
export class CacheReset {
  private readonly epochs = new Map<number, Promise<string>>();

  constructor(
    private readonly client: Redis | Cluster,
    private readonly keys: RedisKeys,
  ) {
    defineReadingScripts(client, { cacheReset: ['reset.lua', 4] });
  }

  /** How many tasks are known. Takes as long as Redis needs to look at all its names. Throws `StoreError`. */
  async count(): Promise<number> {
    let tasks = 0;
    await this.forEachName(({ key }) => {
      if (key === undefined) tasks += 1;
      return Promise.resolve();
    });
    return tasks;
  }

  /**
   * What comes into the cache meanwhile may stay: it is new. Returns how many tasks were forgotten. Throws
   * `StoreError`, also if a new epoch begins meanwhile; it may be repeated.
   */
  async run(): Promise<number> {
    let tasks = 0;
    await this.forEachName(async ({ taskId, key }) => {
      if (key === undefined) tasks += 1;
      const args = [await this.epochOf(this.keys.shardOf(taskId)), ...(key === undefined ? [] : [key])];
      await orStoreError(this.client.cacheReset(...this.keys.ofOwnedTask(taskId), args));
    });
    return tasks;
  }

  private async forEachName(work: (name: NonNullable<ReturnType<RedisKeys['parse']>>) => Promise<void>): Promise<void> {
    // A master that is unavailable is none of the nodes: its shards must not be left out.
    await Promise.all(this.keys.shards.map((shard) => this.epochOf(shard)));
    const nodes = this.client instanceof Cluster ? this.client.nodes('master') : [this.client];
    for (const node of nodes) {
      let cursor = '0';
      do {
        const [next, names] = await orStoreError(node.scan(cursor, 'MATCH', this.keys.taskPattern, 'COUNT', STEP));
        await Promise.all(names.flatMap((name) => this.keys.parse(name) ?? []).map(work));
        cursor = next;
      } while (cursor !== '0');
    }
  }

  /** Each script must name that of its shard; a shard that belongs to no database has none. */
  private epochOf(shard: number): Promise<string> {
    const known = this.epochs.get(shard);
    if (known) return known;
    const epoch = orStoreError(this.client.hget(this.keys.owner(shard), 'epoch')).then((name) => name ?? '');
    this.epochs.set(shard, epoch);
    return epoch;
  }
}
