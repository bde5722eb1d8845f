import { newReplicaState } from '../../../../src/app/replica-state';
import { composeUseCases, type UseCases } from '../../../../src/app/use-cases';
import type { Standing } from '../../../../src/core/consistency/epoch-watch';
import { StoreError } from '../../../../src/core/ports/store-error';
import type { StoreIdentity } from '../../../../src/core/ports/store-identity';
import { UnfitSchemaError } from '../../../../src/core/ports/unfit-schema-error';
import { MemoryStoreServer } from '../../../../src/outbound/memory/memory-store-server';
import { CALLER, JournalingFixture, type Fixture } from '../../../support/fixture';

const UNFIT = new UnfitSchemaError('it needs a later release');

describe('a store whose schema is for another version of the service', () => {
  let fixture: Fixture;
  let useCases: UseCases;
  let standings: [Standing, string?][];
  let failure: StoreError | undefined;
  let used: StoreIdentity | undefined;

  beforeEach(async () => {
    fixture = new JournalingFixture();
    standings = [];
    failure = undefined;
    const { outbox, database } = fixture;
    const server = new MemoryStoreServer(database);
    const ports = {
      ...fixture.ports,
      outbox: failing(outbox, 'changes'),
      server: Object.assign(failing(server, 'look'), { use: (identity?: StoreIdentity) => (used = identity) }),
    };
    const state = newReplicaState(ports, {
      onStanding: (standing, { reason }) => standings.push(reason === undefined ? [standing] : [standing, reason]),
    });
    useCases = composeUseCases(ports, { state });
    await useCases.createTask.execute({ id: 't', text: 'x' }, CALLER);
    await useCases.projectChanges.execute();
    expect([standings, used?.epoch]).toEqual([[['home']], database.history.epoch]);
  });

  /** The adapter, whose method rejects with `failure` if there is one. */
  function failing<T extends object>(adapter: T, method: keyof T): T {
    return new Proxy(adapter, {
      get: (target, name) => {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) =>
          name === method && failure ? Promise.reject(failure) : (Reflect.apply(value, target, args) as unknown);
      },
    });
  }

  const project = () => useCases.projectChanges.execute();
  const isCacheUsed = () =>
    fixture.cache.read([{ taskId: 't', key: 'k' }], 'default').then(
      () => true,
      () => false,
    );

  it('is used no longer, and neither is the cache, from the next reading until one finds it fit', async () => {
    expect(await isCacheUsed()).toBe(true);
    failure = UNFIT;
    expect(await project()).toEqual({ more: false });
    expect(await project()).toEqual({ more: false });
    expect([used, await isCacheUsed()]).toEqual([undefined, false]);

    failure = undefined;
    await project();
    expect([used?.epoch, await isCacheUsed()]).toEqual([fixture.database.history.epoch, true]);
    expect(standings).toEqual([['home'], ['unfit-schema', 'it needs a later release'], ['home']]);
  });

  it('is told of once for each reason', async () => {
    failure = UNFIT;
    await project();
    await project();
    failure = new UnfitSchemaError('the role may not read it');
    await project();
    await project();
    expect(standings).toEqual([
      ['home'],
      ['unfit-schema', 'it needs a later release'],
      ['unfit-schema', 'the role may not read it'],
    ]);
  });

  it('is not used again because it becomes unavailable', async () => {
    failure = UNFIT;
    await project();
    failure = new StoreError('postgres', 'unavailable');
    await expect(project()).rejects.toBe(failure);
    expect([useCases.projectChanges.standing, used]).toEqual(['unfit-schema', undefined]);
  });

  it('is found even while the cache cannot be read', async () => {
    fixture.redis.fails = 'unavailable';
    failure = UNFIT;
    await project();
    expect([useCases.projectChanges.standing, used]).toEqual(['unfit-schema', undefined]);
    failure = undefined;
    await expect(project()).rejects.toMatchObject({ store: 'redis' });
    expect([useCases.projectChanges.standing, used?.epoch]).toEqual(['home', fixture.database.history.epoch]);
  });

  it('is found by the start, before anything is projected', () => {
    useCases.projectChanges.refuse(UNFIT);
    expect([useCases.projectChanges.standing, used]).toEqual(['unfit-schema', undefined]);
  });
});
