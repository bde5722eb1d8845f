import type { Cluster, Redis } from 'ioredis';
import type { StoreIdentity } from '../../core/ports/store-identity';
import type { RedisKeys } from './redis-keys';

/** To whom a Redis belongs, as an operator decides. */
export class RedisOwner {
  constructor(
    private readonly client: Redis | Cluster,
    private readonly keys: RedisKeys,
  ) {}

  /**
   * Gives all of it to the database. Throws if writes wait in the journal of another one, unless `givenUp` names it:
   * then they become dead letters.
   */
  async adopt({ databaseId, epoch }: StoreIdentity, givenUp?: string): Promise<void> {
    const { shards } = this.keys;
    for (const shard of shards) await this.refuseJournalOfOthers(shard, databaseId, givenUp);
    for (const shard of shards) {
      await this.buryJournal(shard, databaseId);
      const [owner, cursor] = [this.keys.owner(shard), this.keys.cursor(shard)];
      await this.client
        .multi()
        .del(owner, cursor)
        .hset(owner, 'database', databaseId, 'epoch', epoch, 'mark', 0)
        .exec();
    }
  }

  private async refuseJournalOfOthers(shard: number, databaseId: string, givenUp?: string): Promise<void> {
    const owner = (await this.client.hget(this.keys.owner(shard), 'database')) ?? 'unknown';
    const waiting = await this.client.llen(this.keys.journal(shard));
    if (waiting === 0 || owner === databaseId || owner === givenUp) return;
    throw new Error(
      `${waiting} writes wait for database ${owner}: drain them there, or give them up with --give-up-journal-of ${owner}`,
    );
  }

  private async buryJournal(shard: number, databaseId: string): Promise<void> {
    if ((await this.client.hget(this.keys.owner(shard), 'database')) === databaseId) return;
    const [journal, deadLetters] = [this.keys.journal(shard), this.keys.deadLetters(shard)];
    while ((await this.client.lmove(journal, deadLetters, 'LEFT', 'RIGHT')) !== null);
  }
}
