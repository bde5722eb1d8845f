import { AcknowledgedChanges } from '../../../../src/core/consistency/acknowledged-changes';
import { CacheTrust } from '../../../../src/core/consistency/cache-trust';
import { composeUseCases } from '../../../../src/app/use-cases';
import { StoreError } from '../../../../src/core/ports/store-error';
import { CALLER, FOREIGN_CALLER, JournalingFixture } from '../../../support/fixture';

const change = (version: number) => ({ version, deleted: false, journaled: false });
const saidInGeneration = (generation: number) => ({ token: { floor: 0, generation }, cursor: 0, deleted: false });

describe('the changes that a replica has acknowledged', () => {
  it('belong to an organisation: those of another one do not exist', () => {
    const acknowledged = new AcknowledgedChanges(new CacheTrust());
    acknowledged.remember(FOREIGN_CALLER, { taskId: 't-1', key: 'k' }, change(2));
    acknowledged.rememberDeleted(FOREIGN_CALLER, 't-2', 4);
    expect(acknowledged.of(CALLER).versionOf({ taskId: 't-1', key: 'k' })).toBe(0);
    expect(acknowledged.of(CALLER).uncheckedChanges('t-1')).toEqual([]);
    expect(acknowledged.of(CALLER).isDeleted('t-2')).toBe(false);
    expect(acknowledged.of(FOREIGN_CALLER).isDeleted('t-2')).toBe(true);
  });

  it('make room for others of the organisation that has most', () => {
    const acknowledged = new AcknowledgedChanges(new CacheTrust(), 10);
    acknowledged.remember(CALLER, { taskId: 't-1', key: 'k' }, change(2));
    for (let i = 0; i < 11; i++) acknowledged.remember(FOREIGN_CALLER, { taskId: `f-${i}`, key: 'k' }, change(4));
    for (let i = 0; i < 11; i++) acknowledged.remember(FOREIGN_CALLER, { taskId: 'f', key: `k-${i}` }, change(4));
    for (let i = 0; i < 11; i++) acknowledged.rememberDeleted(FOREIGN_CALLER, `d-${i}`, 4);
    expect(acknowledged.of(CALLER).versionOf({ taskId: 't-1', key: 'k' })).toBe(2);
    expect(acknowledged.of(FOREIGN_CALLER).size).toBe(9);
    expect(acknowledged.of(FOREIGN_CALLER).isDeleted('d-10')).toBe(true);
    expect(acknowledged.of(FOREIGN_CALLER).isDeleted('d-0')).toBe(false);
  });

  it('leave their version when they are forgotten: a cache that is not believed may lack them', () => {
    const trust = new CacheTrust();
    const acknowledged = new AcknowledgedChanges(trust, 1);
    trust.learnHorizon(1, 0);
    acknowledged.remember(CALLER, { taskId: 't-1', key: 'k' }, change(6));
    const changes = acknowledged.of(CALLER);
    expect(changes.mayHaveForgotten(saidInGeneration(2))).toBe(false);
    acknowledged.remember(CALLER, { taskId: 't-2', key: 'k' }, change(2));
    expect(changes.versionOf({ taskId: 't-1', key: 'k' })).toBe(0);
    for (const version of [undefined, 4]) expect(changes.mayHaveForgotten(saidInGeneration(2), version)).toBe(true);
    expect(changes.mayHaveForgotten(saidInGeneration(2), 6)).toBe(false);
    trust.learnHorizon(2, 0);
    expect(changes.mayHaveForgotten(saidInGeneration(2), 4)).toBe(false);
  });

  it('count with the deletion of their task, whichever has the higher version', () => {
    const acknowledged = new AcknowledgedChanges(new CacheTrust(), 1);
    acknowledged.remember(CALLER, { taskId: 't-1', key: 'k' }, change(6));
    acknowledged.rememberDeleted(CALLER, 't-1', 4);
    const changes = acknowledged.of(CALLER);
    expect(changes.size).toBe(1);
    acknowledged.rememberDeleted(CALLER, 't-2', 2);
    expect(changes.mayHaveForgotten(saidInGeneration(1), 5)).toBe(true);
  });

  it('take no memory for organisations that only read, or whose changes were all forgotten', () => {
    const acknowledged = new AcknowledgedChanges(new CacheTrust(), 10);
    for (let i = 0; i < 1000; i++) {
      expect(acknowledged.of({ organization: `reads-${i}` }).isDeleted('t-1')).toBe(false);
      acknowledged.remember({ organization: `writes-${i}` }, { taskId: `t-${i}`, key: 'k' }, change(i + 1));
    }
    expect(acknowledged.organizationCount).toBe(10);
    expect(acknowledged.of({ organization: 'writes-999' }).versionOf({ taskId: 't-999', key: 'k' })).toBe(1000);
    // An organisation that is kept no longer has left its version to all that are not known.
    const forgotten = acknowledged.of({ organization: 'writes-0' });
    expect(forgotten.mayHaveForgotten(saidInGeneration(1), 989)).toBe(true);
    expect(forgotten.mayHaveForgotten(saidInGeneration(1), 990)).toBe(false);
  });

  it('include a tree that others have deleted in part: a cache that was not brought behind it may show that part', () => {
    const trust = new CacheTrust();
    const acknowledged = new AcknowledgedChanges(trust);
    trust.learnHorizon(1, 0);
    acknowledged.rememberTree(CALLER, 't-1', 4, 7);
    const [own, foreign] = [acknowledged.of(CALLER), acknowledged.of(FOREIGN_CALLER)];
    expect(own.isDeleted('t-1')).toBe(true);
    const at = (cursor: number) => ({ ...saidInGeneration(1), cursor });
    expect([6, 7].map((cursor) => own.accepts(at(cursor)))).toEqual([false, true]);
    expect([6, 7].map((cursor) => own.mayHaveForgotten(at(cursor), 9))).toEqual([true, false]);
    expect(foreign.accepts(at(6))).toBe(true);
    expect(foreign.mayHaveForgotten(at(6), 9)).toBe(false);

    acknowledged.rememberTree(CALLER, 't-2', 2, 5);
    expect(own.accepts(at(6))).toBe(false);
    acknowledged.forgetStored();
    expect(acknowledged.of(CALLER).accepts(at(0))).toBe(true);
  });

  it('are gone with their organisation when the store has been replaced, but for those in the journal', () => {
    const acknowledged = new AcknowledgedChanges(new CacheTrust());
    acknowledged.remember(CALLER, { taskId: 't-1', key: 'k' }, { ...change(2), journaled: true });
    acknowledged.remember(FOREIGN_CALLER, { taskId: 't-2', key: 'k' }, change(2));
    acknowledged.forgetStored();
    expect(acknowledged.organizationCount).toBe(1);
    expect(acknowledged.of(CALLER).versionOf({ taskId: 't-1', key: 'k' })).toBe(2);
  });
});

describe('a replica that has forgotten a change', () => {
  it('returns nothing from a redis that came back with older data while PostgreSQL is unavailable', async () => {
    const fixture = new JournalingFixture();
    const trust = new CacheTrust();
    const state = { ...fixture.state, trust, acknowledged: new AcknowledgedChanges(trust, 1) };
    const replica = composeUseCases(fixture.ports, { state });
    const text = (key: string) => ({ taskId: 't-1', key, type: 'text' as const, content: 'x', condition: undefined });
    await fixture.task('t-1');
    await fixture.text('t-1', 'k', 'old');
    fixture.redis.fails = 'unavailable';
    await replica.createAttachment.execute(text('k'), CALLER);
    await replica.createAttachment.execute(text('other'), CALLER);
    fixture.redis.fails = undefined;
    fixture.postgres.fails = 'unavailable';
    const unavailable = new StoreError('postgres', 'unavailable');
    await expect(replica.getAttachment.execute({ taskId: 't-1', key: 'k' }, CALLER)).rejects.toEqual(unavailable);
    const page = { taskId: 't-1', keyPrefix: '', limit: 50, offset: 0, descending: false, includeBodies: true };
    expect(await replica.listAttachments.execute(page, CALLER)).toMatchObject({ attachments: [], degraded: true });
  });
});
