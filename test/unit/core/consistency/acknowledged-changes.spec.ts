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
    acknowledged.of(FOREIGN_CALLER).remember({ taskId: 't-1', key: 'k' }, change(2));
    acknowledged.of(FOREIGN_CALLER).rememberDeleted('t-2', 4);
    expect(acknowledged.of(CALLER).versionOf({ taskId: 't-1', key: 'k' })).toBe(0);
    expect(acknowledged.of(CALLER).uncheckedChanges('t-1')).toEqual([]);
    expect(acknowledged.of(CALLER).isDeleted('t-2')).toBe(false);
    expect(acknowledged.of(FOREIGN_CALLER).isDeleted('t-2')).toBe(true);
  });

  it('make room for others of the organisation that has most', () => {
    const acknowledged = new AcknowledgedChanges(new CacheTrust(), 10);
    acknowledged.of(CALLER).remember({ taskId: 't-1', key: 'k' }, change(2));
    for (let i = 0; i < 11; i++) acknowledged.of(FOREIGN_CALLER).remember({ taskId: `f-${i}`, key: 'k' }, change(4));
    for (let i = 0; i < 11; i++) acknowledged.of(FOREIGN_CALLER).remember({ taskId: 'f', key: `k-${i}` }, change(4));
    for (let i = 0; i < 11; i++) acknowledged.of(FOREIGN_CALLER).rememberDeleted(`d-${i}`, 4);
    expect(acknowledged.of(CALLER).versionOf({ taskId: 't-1', key: 'k' })).toBe(2);
    expect(acknowledged.of(FOREIGN_CALLER).size).toBe(9);
    expect(acknowledged.of(FOREIGN_CALLER).isDeleted('d-10')).toBe(true);
    expect(acknowledged.of(FOREIGN_CALLER).isDeleted('d-0')).toBe(false);
  });

  it('leave their version when they are forgotten: a cache that is not believed may lack them', () => {
    const trust = new CacheTrust();
    const changes = new AcknowledgedChanges(trust, 1).of(CALLER);
    trust.learnHorizon(1, 0);
    changes.remember({ taskId: 't-1', key: 'k' }, change(6));
    expect(changes.mayHaveForgotten(saidInGeneration(2))).toBe(false);
    changes.remember({ taskId: 't-2', key: 'k' }, change(2));
    expect(changes.versionOf({ taskId: 't-1', key: 'k' })).toBe(0);
    for (const version of [undefined, 4]) expect(changes.mayHaveForgotten(saidInGeneration(2), version)).toBe(true);
    expect(changes.mayHaveForgotten(saidInGeneration(2), 6)).toBe(false);
    trust.learnHorizon(2, 0);
    expect(changes.mayHaveForgotten(saidInGeneration(2), 4)).toBe(false);
  });

  it('count with the deletion of their task, whichever has the higher version', () => {
    const changes = new AcknowledgedChanges(new CacheTrust(), 1).of(CALLER);
    changes.remember({ taskId: 't-1', key: 'k' }, change(6));
    changes.rememberDeleted('t-1', 4);
    expect(changes.size).toBe(1);
    changes.rememberDeleted('t-2', 2);
    expect(changes.mayHaveForgotten(saidInGeneration(1), 5)).toBe(true);
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
