import type { Cluster, Redis } from 'ioredis';
import type { StoreIdentity } from '../../core/ports/store-identity';
import { orStoreError } from './redis-error';
import type { RedisKeys } from './redis-keys';

/** In the place of the id of a database that has left none. */
const UNKNOWN = 'unknown';

/** To whom a Redis belongs, as an operator decides. */
export class RedisOwner {
  constructor(
    private readonly client: Redis | Cluster,
    private readonly keys: RedisKeys,
  ) {}

  /**
   * The other databases that would lose it, and how many of their writes would become dead letters. Throws if writes
   * wait in the journal of another one, unless `givenUp` names it. Throws `StoreError` if a shard is unavailable.
   */
  async othersThan(
    { databaseId }: StoreIdentity,
    givenUp?: string,
  ): Promise<{ readonly databaseIds: readonly string[]; readonly waiting: number }> {
    const others = new Set<string>();
    let waiting = 0;
    for (const shard of this.keys.shards) {
      await this.refuseJournalOfOthers(shard, databaseId, givenUp);
      const owner = await this.ownerOf(shard);
      if (owner === databaseId) continue;
      const length = await this.waitingIn(shard);
      if (owner !== null || length > 0) others.add(owner ?? UNKNOWN);
      waiting += length;
    }
    return { databaseIds: [...others], waiting };
  }

  /** Gives all of it to the database, and throws, as `othersThan` says. */
  async adopt({ databaseId, epoch }: StoreIdentity, givenUp?: string): Promise<void> {
    const { shards } = this.keys;
    for (const shard of shards) await this.refuseJournalOfOthers(shard, databaseId, givenUp);
    for (const shard of shards) {
      await this.buryJournal(shard, databaseId);
      const [owner, cursor] = [this.keys.owner(shard), this.keys.cursor(shard)];
      const adoption = this.client.multi().del(owner, cursor);
      await orStoreError(adoption.hset(owner, 'database', databaseId, 'epoch', epoch, 'mark', 0).exec());
    }
  }

  private ownerOf(shard: number): Promise<string | null> {
    return orStoreError(this.client.hget(this.keys.owner(shard), 'database'));
  }

  private waitingIn(shard: number): Promise<number> {
    return orStoreError(this.client.llen(this.keys.journal(shard)));
  }

  private async refuseJournalOfOthers(shard: number, databaseId: string, givenUp?: string): Promise<void> {
    const owner = (await this.ownerOf(shard)) ?? UNKNOWN;
    const waiting = await this.waitingIn(shard);
    if (waiting === 0 || owner === databaseId || owner === givenUp) return;
    throw new Error(
      `${waiting} writes wait for database ${owner}: drain them there, or give them up with --give-up-journal-of ${owner}`,
    );
  }

  private async buryJournal(shard: number, databaseId: string): Promise<void> {
    if ((await this.ownerOf(shard)) === databaseId) return;
    const [journal, deadLetters] = [this.keys.journal(shard), this.keys.deadLetters(shard)];
    const buryOne = () => orStoreError(this.client.lmove(journal, deadLetters, 'LEFT', 'RIGHT'));
    while ((await buryOne()) !== null);
  }
}
