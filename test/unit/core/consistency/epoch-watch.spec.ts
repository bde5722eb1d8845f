import { AcknowledgedChanges } from '../../../../src/core/consistency/acknowledged-changes';
import { CacheTrust } from '../../../../src/core/consistency/cache-trust';
import { EpochWatch, type Standing, type StandingFacts } from '../../../../src/core/consistency/epoch-watch';
import type { AttachmentCache, EpochClaim, EpochVerdict } from '../../../../src/core/ports/attachment-cache';
import type { StoreIdentity } from '../../../../src/core/ports/store-identity';
import type { StoreServer } from '../../../../src/core/ports/store-server';
import { MemoryDatabase } from '../../../../src/outbound/memory/memory-database';
import { MemoryStoreServer } from '../../../../src/outbound/memory/memory-store-server';

const CLOCK = { nowMs: () => 0 };

describe('a replica that was started after a server had been replaced', () => {
  let old: MemoryDatabase;
  let restored: MemoryDatabase;
  let reached: MemoryDatabase;
  let used: StoreIdentity | undefined;
  let claims: EpochClaim[];
  let verdict: EpochVerdict;
  let told: [Standing, StandingFacts][];
  let watch: EpochWatch;

  beforeEach(() => {
    old = new MemoryDatabase(CLOCK);
    restored = old.copy();
    restored.moveTo('another cluster/1', 1);
    used = undefined;
    claims = [];
    verdict = 'unknown';
    told = [];
    const cache = {
      enter: (_parts: unknown, claim: EpochClaim) => {
        claims.push({ ...claim, ended: new Set(claim.ended) });
        return Promise.resolve(verdict);
      },
    } as Partial<AttachmentCache> as AttachmentCache;
    const server = {
      look: () => new MemoryStoreServer(reached).look(),
      use: (identity) => (used = identity),
    } as Partial<StoreServer> as StoreServer;
    const acknowledged = new AcknowledgedChanges(new CacheTrust());
    watch = new EpochWatch(cache, { use: () => undefined }, server, acknowledged, (...change) => told.push(change));
  });

  const find = async (database: MemoryDatabase) => {
    reached = database;
    await watch.judgeWithoutCache();
    return [watch.current, used?.epoch];
  };

  it('does not use the old one once it has used the new one, although no cache says that the old epoch has ended', async () => {
    expect(await find(restored)).toEqual(['home', restored.history.epoch]);
    expect(await find(old)).toEqual(['replaced', undefined]);
    expect(await find(restored)).toEqual(['home', restored.history.epoch]);
  });

  it('does not tell the cache of others that their epoch has ended: the server may be a copy of theirs', async () => {
    await find(restored);
    const cursor = { parts: [0], generation: 1, owner: { ...old.history.identity(), isFamiliar: false } };
    const reading = { identity: restored.history.identity(), horizon: 1 };
    expect(await watch.judge([cursor], reading)).toBe('refused');
    expect([watch.current, claims.map(({ ended }) => [...ended])]).toEqual(['unknown-epoch', [[]]]);
  });

  it('may return to the server that it left while that was down, if the cache was in an epoch that nobody can reach', async () => {
    await find(restored);
    const owner = { databaseId: old.history.identity().databaseId, epoch: 'begun by a server of one moment' };
    const cursor = { parts: [0], generation: 1, owner: { ...owner, isFamiliar: true } };
    await watch.follow([cursor]);
    expect(watch.current).toBe('home');
    // As long as only the cache could tell which one is the present server.
    expect(await find(restored)).toEqual(['replaced', undefined]);

    verdict = 'entered';
    expect(await watch.judge([cursor], { identity: restored.history.identity(), horizon: 1 })).toBe('changed');
    expect([watch.current, used?.epoch]).toEqual(['home', restored.history.epoch]);
    expect(await find(restored)).toEqual(['home', restored.history.epoch]);
  });

  it('tells of a new epoch once, although it is at home before and after', async () => {
    await find(old);
    const [before, after] = [old, restored].map(({ history }) => history.identity()) as [StoreIdentity, StoreIdentity];
    await find(restored);
    await find(restored);
    expect(told).toEqual([
      ['home', { identity: before, ended: undefined }],
      ['home', { identity: after, ended: before.epoch }],
    ]);
  });

  it('tells that the server it reaches was replaced, if nothing shows that it may follow the others', async () => {
    verdict = 'ended';
    const owner = { ...restored.history.identity(), isFamiliar: false };
    const identity = old.history.identity();
    expect(await watch.judge([{ parts: [0], generation: 1, owner }], { identity, horizon: 1 })).toBe('refused');
    expect(told).toEqual([['unknown-address', { owner, identity }]]);
  });
});
