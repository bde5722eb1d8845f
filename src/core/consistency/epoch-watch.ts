import type { AttachmentCache, CacheOwner, EpochVerdict, ProjectionCursor } from '../ports/attachment-cache';
import type { CacheEpoch } from '../ports/cache-epoch';
import type { OutboxChanges } from '../ports/outbox';
import type { StoreIdentity } from '../ports/store-identity';
import type { StoreServer } from '../ports/store-server';
import type { UnfitSchemaError } from '../ports/unfit-schema-error';
import type { AcknowledgedChanges } from './acknowledged-changes';

/**
 * - `starting`: store and cache have not been found to belong together yet.
 * - `home`: they do.
 * - `replaced`: the store that is reached is in an epoch that has ended; the cache goes on without it.
 * - `unknown-epoch`, `other-database`: the cache belongs to another store. Neither is used.
 * - `unknown-address`: the store is unavailable, and nothing shows that the cache belongs to it. Neither is used.
 * - `unfit-schema`: the store is for another version of the service. Neither is used.
 */
export type Standing =
  'starting' | 'home' | 'replaced' | 'unknown-epoch' | 'other-database' | 'unknown-address' | 'unfit-schema';

/** What a change of the standing is due to, as far as it is known. */
export interface StandingFacts {
  readonly identity?: StoreIdentity;
  /** The owner of the cache, if it is another. */
  readonly owner?: CacheOwner;
  /** Why the schema is unfit. */
  readonly reason?: string;
  /** The epoch that has ended, if another one is the present one now. */
  readonly ended?: string;
}

/** As far as it can be learned from the cache alone. */
type KnownIdentity = Pick<StoreIdentity, 'databaseId' | 'epoch' | 'server'>;

/** Told of each change of the standing, of each new epoch, and of each other reason for which the schema is unfit. */
export type OnStanding = (standing: Standing, facts: StandingFacts) => void;

const REFUSED: Readonly<Record<Exclude<EpochVerdict, 'entered'>, Standing>> = {
  ended: 'replaced',
  unknown: 'unknown-epoch',
  'other-database': 'other-database',
};

/**
 * Watches over which store this replica reaches, and whether the cache belongs to it. A store that was restored, or
 * promoted, may lack what was acknowledged: with it a new epoch begins, in which nothing is believed that was cached or
 * remembered before.
 */
export class EpochWatch {
  private standing: Standing = 'starting';
  /** Why the schema is unfit, if it is. */
  private reason?: string;
  private identity?: KnownIdentity;
  private readonly ended = new Set<string>();
  /**
   * What the stores that were used have told of their own history, and epochs that this replica left because the cache
   * was in another one. The cache is never told that these have ended. Of the one that it is in, a copy of the store
   * says so, too; and of the one that was left, the cache knows better: perhaps it has never heard of it.
   */
  private readonly past = new Set<string>();
  /** Whether this replica has reached the store in the present epoch. */
  private hasReached = false;
  /** The highest horizon that was seen in the present epoch. */
  private highest = 0;

  constructor(
    private readonly cache: AttachmentCache,
    private readonly cacheEpoch: CacheEpoch,
    private readonly server: StoreServer,
    private readonly acknowledged: AcknowledgedChanges,
    private readonly onStanding: OnStanding = () => undefined,
  ) {}

  /** Whether store and cache are used together. */
  get current(): Standing {
    return this.standing;
  }

  /**
   * To be asked after each reading of the outbox. `agreed`: the cursors and the reading are of the present epoch.
   * `changed`: both have to be read again. `refused`: they do not belong together.
   */
  async judge(
    cursors: readonly ProjectionCursor[],
    { identity, horizon }: Pick<OutboxChanges, 'identity' | 'horizon'>,
  ): Promise<'agreed' | 'changed' | 'refused'> {
    if (this.ended.has(identity.epoch)) {
      if (!this.isRolledBack(identity)) return this.leave('replaced', cursors, identity);
      await this.server.beginEpoch(identity.epoch);
      return 'changed';
    }
    const isOfEpoch = ({ owner }: ProjectionCursor) => owner?.epoch === identity.epoch;
    const reached = Math.max(
      identity.epoch === this.identity?.epoch ? this.highest : 0,
      ...cursors.filter(isOfEpoch).map(({ position = 0 }) => position),
    );
    // Transaction ids never go back, unless the server has: it has kept its name and lost what it had.
    if (horizon < reached) {
      await this.server.beginEpoch(identity.epoch);
      return 'changed';
    }
    const isPresent = identity.epoch === this.identity?.epoch && this.standing === 'home';
    if (isPresent && cursors.every((cursor) => isOfEpoch(cursor) && cursor.owner?.isFamiliar)) {
      this.highest = Math.max(this.highest, horizon);
      this.server.use(identity);
      return 'agreed';
    }
    return this.enter(cursors, identity);
  }

  /** The cache cannot be read: only what this replica has seen itself tells which server is the present one. */
  async judgeWithoutCache(): Promise<void> {
    // What the cache has refused it has not admitted by becoming unavailable.
    if (this.standing === 'other-database' || this.standing === 'unknown-epoch') return;
    const identity = await this.server.look();
    const { epoch } = identity;
    if (this.ended.has(epoch) || this.past.has(epoch)) return this.refuse('replaced', { identity });
    const ended = this.settle(identity);
    this.server.use(identity);
    this.change('home', { identity, ended });
  }

  /** Until the store has been read without this error, neither store nor cache is used. */
  leaveUnfit({ reason }: UnfitSchemaError): void {
    this.refuse('unfit-schema', { reason });
  }

  /**
   * The store is unavailable: the replica goes where the others are, if it is sure that they have the same store.
   * `identity` is that of a store that has been replaced, if one is reached.
   */
  async follow(cursors: readonly ProjectionCursor[], identity?: StoreIdentity): Promise<void> {
    // An outage does not change the schema.
    if (this.standing === 'unfit-schema') return;
    for (const { owner, parts } of cursors) {
      if (owner === undefined || this.ended.has(owner.epoch)) {
        // The cache has come back with less than it had.
        if (this.identity)
          await this.cache.enter(parts, {
            databaseId: this.identity.databaseId,
            epoch: this.identity.epoch,
            ended: this.ended,
          });
      } else if (owner.epoch !== this.identity?.epoch) {
        const isSame = this.identity === undefined || this.identity.databaseId === owner.databaseId;
        if (!owner.isFamiliar || !isSame) return this.refuse('unknown-address', { owner, identity });
        this.server.use(undefined);
        const ended = this.settle({ databaseId: owner.databaseId, epoch: owner.epoch }, this.past);
        this.hasReached = false;
        this.change('home', { ended });
      }
    }
  }

  /** Whether the server is back in an epoch that had ended on this same server. */
  private isRolledBack({ server }: StoreIdentity): boolean {
    return server !== undefined && server === this.identity?.server;
  }

  private async enter(cursors: readonly ProjectionCursor[], identity: StoreIdentity): Promise<'changed' | 'refused'> {
    const ended = new Set(this.ended);
    // If this replica has only followed the others, it has seen no server being replaced.
    if (this.hasReached && this.identity && this.identity.epoch !== identity.epoch) ended.add(this.identity.epoch);
    const parts = cursors.flatMap((cursor) => cursor.parts);
    const verdict = await this.cache.enter(parts, { databaseId: identity.databaseId, epoch: identity.epoch, ended });
    if (verdict !== 'entered') return this.leave(REFUSED[verdict], cursors, identity);
    const last = this.settle(identity);
    this.server.use(identity);
    this.change('home', { identity, ended: last });
    return 'changed';
  }

  private async leave(standing: Standing, cursors: readonly ProjectionCursor[], identity: StoreIdentity) {
    const owner = cursors.find((cursor) => cursor.owner && cursor.owner.epoch !== identity.epoch)?.owner;
    if (standing !== 'replaced') {
      this.refuse(standing, { identity, owner });
      return 'refused' as const;
    }
    this.ended.add(identity.epoch);
    this.server.use(undefined);
    await this.follow(cursors, identity);
    if (this.standing === 'home' || this.standing === 'starting') this.change('replaced', { identity, owner });
    return 'refused' as const;
  }

  /**
   * This is the present epoch now. Returns the one that has ended, if it is another, and adds it to `endedOnes`.
   */
  private settle(identity: KnownIdentity & Partial<StoreIdentity>, endedOnes = this.ended): string | undefined {
    const { epoch, past = [] } = identity;
    for (const one of past) this.past.add(one);
    this.past.delete(epoch);
    let ended: string | undefined;
    if (this.identity?.epoch !== epoch) {
      if (this.identity) {
        ended = this.identity.epoch;
        endedOnes.add(ended);
        this.acknowledged.forgetStored();
      }
      this.highest = 0;
    }
    this.identity = identity;
    this.hasReached = true;
    this.cacheEpoch.use(epoch);
    return ended;
  }

  private refuse(standing: Standing, facts: StandingFacts): void {
    this.server.use(undefined);
    if (standing !== 'replaced') this.cacheEpoch.use(undefined);
    this.change(standing, facts);
  }

  private change(standing: Standing, facts: StandingFacts = {}): void {
    const isKnown = this.standing === standing && this.reason === facts.reason;
    if (isKnown && facts.ended === undefined) return;
    this.standing = standing;
    this.reason = facts.reason;
    this.onStanding(standing, facts);
  }
}
