import type { DomainEvent } from '../../../../src/core/domain/domain-event';
import { EventBus } from '../../../../src/core/ports/event-bus';
import { FollowEvents } from '../../../../src/core/use-cases/events/follow-events';
import { PublishEvents } from '../../../../src/core/use-cases/events/publish-events';
import { PurgeHistory } from '../../../../src/core/use-cases/upkeep/purge-history';
import { ReportBacklog } from '../../../../src/core/use-cases/upkeep/report-backlog';
import { SweepExpired } from '../../../../src/core/use-cases/upkeep/sweep-expired';
import { MemoryExpiredAttachmentStore } from '../../../../src/outbound/memory/memory-expired-attachment-store';
import { MemoryOutbox } from '../../../../src/outbound/memory/memory-outbox';
import { CALLER, FOREIGN_CALLER, Fixture } from '../../../support/fixture';

const DAY_MS = 24 * 60 * 60 * 1000;
const taskIdOf = ({ payload }: DomainEvent) => (payload['taskId'] ?? payload['id']) as string;

/** Takes events when the test lets it, and refuses those of chosen tasks. */
class SlowBus extends EventBus {
  readonly taken: DomainEvent[] = [];
  readonly refused = new Set<string>();
  isDown = false;
  onTaken: () => void = () => undefined;
  underWay: string[] = [];
  mostUnderWay = 0;
  overlaps = 0;

  async publish(event: DomainEvent): Promise<void> {
    const taskId = taskIdOf(event);
    if (this.underWay.includes(taskId)) this.overlaps++;
    this.underWay.push(taskId);
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay.length);
    await new Promise((resolve) => setImmediate(resolve));
    this.underWay.splice(this.underWay.indexOf(taskId), 1);
    if (this.isDown || this.refused.has(taskId)) throw new Error('refused');
    this.taken.push(event);
    this.onTaken();
  }
}

let fixture: Fixture;
let outbox: MemoryOutbox;
let bus: SlowBus;
let publish: PublishEvents;

beforeEach(() => {
  fixture = new Fixture();
  outbox = new MemoryOutbox(fixture.database, fixture.clock);
  bus = new SlowBus();
  publish = new PublishEvents(outbox, bus, fixture.metrics, fixture.clock);
});

const waiting = async () => (await outbox.unpublished(1000)).map(({ event }) => event);

describe('publishing events', () => {
  it('is idle if nothing waits, and on standby while another replica publishes', async () => {
    await expect(publish.execute()).resolves.toBe('idle');
    await fixture.task('a');
    jest.spyOn(outbox, 'unpublished').mockResolvedValue(undefined as never);
    await expect(publish.execute()).resolves.toBe('standby');
    expect(bus.taken).toEqual([]);
  });

  it('publishes the events of a task one after the other, and several tasks at once', async () => {
    for (const id of ['a', 'b', 'c']) await fixture.task(id);
    for (const key of ['1', '2', '3']) for (const id of ['a', 'b', 'c']) await fixture.text(id, key, 'x');
    const recorded = fixture.database.events;
    await expect(publish.execute()).resolves.toBe('published');

    expect(bus.overlaps).toBe(0);
    expect(bus.mostUnderWay).toBe(3);
    for (const id of ['a', 'b', 'c']) {
      const ofTask = (events: readonly DomainEvent[]) => events.filter((event) => taskIdOf(event) === id);
      expect(ofTask(bus.taken)).toEqual(ofTask(recorded));
    }
    expect(await waiting()).toEqual([]);
    expect(fixture.metrics.published).toHaveLength(12);
    await expect(publish.execute()).resolves.toBe('idle');
  });

  it('publishes at most 64 tasks at once', async () => {
    for (let i = 0; i < 70; i++) await fixture.task(`t${i}`);
    await publish.execute();
    expect(bus.taken).toHaveLength(70);
    expect(bus.mostUnderWay).toBe(64);
  });

  it('looks for those of other organisations within 50 ms, however many a task has', async () => {
    await fixture.task('many');
    for (let i = 0; i < 20; i++) await fixture.text('many', `k${i}`, 'x');
    for (const id of ['a', 'b', 'c']) await fixture.task(id);
    const ofMany = () => bus.taken.filter((event) => taskIdOf(event) === 'many');
    const recorded = fixture.database.events.filter((event) => taskIdOf(event) === 'many');
    bus.onTaken = () => fixture.clock.advance(10);
    await publish.execute();
    expect(bus.taken.map(taskIdOf)).toEqual(['many', 'a', 'b', 'c', 'many']);

    await fixture.task('foreign', {}, FOREIGN_CALLER);
    await publish.execute();
    expect(bus.taken.slice(5, 7).map(taskIdOf)).toEqual(['many', 'foreign']);
    while ((await publish.execute()) !== 'idle');
    expect(ofMany()).toEqual(recorded);
  });

  it('publishes an event of each task in a turn, however long that takes', async () => {
    for (let i = 0; i < 100; i++) await fixture.task(`t${i}`);
    bus.onTaken = () => fixture.clock.advance(10);
    await publish.execute();
    expect(bus.taken).toHaveLength(100);
  });

  it('stops a task at its first failure, and no other task', async () => {
    for (const id of ['bad', 'good']) {
      await fixture.task(id);
      await fixture.text(id, '1', 'x');
    }
    bus.refused.add('bad');
    await expect(publish.execute()).rejects.toThrow('refused');
    expect(bus.taken.map(taskIdOf)).toEqual(['good', 'good']);
    expect((await waiting()).map(taskIdOf)).toEqual(['bad', 'bad']);

    bus.refused.clear();
    await publish.execute();
    expect(bus.taken.slice(2).map(({ type }) => type)).toEqual(['task.created', 'task.attachment_created']);
  });

  it('tries each of its workers once while the bus is down', async () => {
    for (let i = 0; i < 200; i++) await fixture.task(`t${i}`);
    bus.isDown = true;
    const attempts = jest.spyOn(bus, 'publish');
    await expect(publish.execute()).rejects.toThrow('refused');
    expect(attempts).toHaveBeenCalledTimes(64);
    expect(await waiting()).toHaveLength(200);
  });

  it('shows the operator which replica publishes, and what it could not publish', async () => {
    const shown = () => [fixture.metrics.isPublisher, fixture.metrics.publishFailures];
    await publish.execute();
    expect(shown()).toEqual([true, 0]);
    for (const id of ['bad', 'good']) await fixture.task(id);
    bus.refused.add('bad');
    await expect(publish.execute()).rejects.toThrow('refused');
    expect(shown()).toEqual([false, 1]);
    bus.refused.clear();
    await publish.execute();
    expect(shown()).toEqual([true, 1]);
    const read = jest.spyOn(outbox, 'unpublished').mockResolvedValue(undefined as never);
    await publish.execute();
    expect(shown()).toEqual([false, 1]);
    read.mockRestore();
    await publish.execute();
    jest.spyOn(outbox, 'unpublished').mockRejectedValue(new Error('the outbox is unavailable'));
    await expect(publish.execute()).rejects.toThrow('unavailable');
    expect(shown()).toEqual([false, 1]);
  });

  it('notes what it could publish, and leaves the rest to another replica', async () => {
    const standDown = jest.spyOn(outbox, 'standDown');
    for (const id of ['bad', 'good']) await fixture.task(id);
    bus.refused.add('bad');
    const left: string[][] = [];
    standDown.mockImplementation(async () => void left.push((await waiting()).map(taskIdOf)));
    await expect(publish.execute()).rejects.toThrow('refused');
    expect(left).toEqual([['bad']]);

    bus.refused.clear();
    await expect(publish.execute()).resolves.toBe('published');
    await expect(publish.execute()).resolves.toBe('idle');
    expect(standDown).toHaveBeenCalledTimes(1);
  });

  it('shows the operator what waits', async () => {
    await fixture.task('a');
    const report = new ReportBacklog(outbox, fixture.journal, fixture.metrics);
    await report.execute();
    expect(fixture.metrics.backlog).toEqual({ count: 1, oldestAgeMs: 1000 });
    expect(fixture.metrics.journaled).toEqual({ waiting: 0, deadLetters: 0 });
    fixture.redis.fails = 'unavailable';
    await fixture.task('b');
    await report.execute();
    expect(fixture.metrics.backlog).toMatchObject({ count: 2 });
  });
});

describe('following events', () => {
  it('shows only the events of the organisation of the caller', async () => {
    const follow = new FollowEvents(outbox);
    const { position } = await follow.execute({}, CALLER);
    await fixture.task('mine');
    await fixture.task('theirs', {}, FOREIGN_CALLER);
    const seen = async (caller: typeof CALLER) =>
      (await follow.execute({ after: position }, caller)).events.map(({ event }) => taskIdOf(event));
    expect(await seen(CALLER)).toEqual(['mine']);
    expect(await seen(FOREIGN_CALLER)).toEqual(['theirs']);
  });

  it('refuses a position that is none', async () => {
    const refusal = { kind: 'invalid', errors: [expect.objectContaining({ field: 'lastEventId' })] };
    await expect(new FollowEvents(outbox).execute({ after: 'x' }, CALLER)).rejects.toMatchObject({ refusal });
  });
});

describe('the sweep', () => {
  const sweep = (expired: MemoryExpiredAttachmentStore) =>
    new SweepExpired(expired, fixture.cache, fixture.clock).execute();

  it('removes an expired attachment, tells the cache, and announces the expiry once', async () => {
    const expired = new MemoryExpiredAttachmentStore(fixture.database);
    await fixture.task('a');
    await fixture.text('a', 'short', 'x', { ttlSeconds: 1 });
    await fixture.text('a', 'long', 'x', { ttlSeconds: 60 });
    fixture.clock.advance(1000);
    fixture.forgetCalls();
    await expect(sweep(expired)).resolves.toEqual({ more: false });
    await sweep(expired);

    expect(fixture.redis.calls).toEqual(['apply']);
    expect(fixture.database.events.slice(-1)).toMatchObject([
      { type: 'task.attachment.expired', payload: { taskId: 'a', key: 'short' } },
    ]);
    expect((await fixture.list('a')).attachments.map(({ key }) => key)).toEqual(['long']);
  });

  it('writes nothing if nothing has expired', async () => {
    const store = new MemoryExpiredAttachmentStore(fixture.database);
    const remove = jest.spyOn(store, 'remove');
    await fixture.task('t-1');
    await fixture.text('t-1', 'k', 'x');
    await expect(sweep(store)).resolves.toEqual({ more: false });
    expect(remove).not.toHaveBeenCalled();
  });

  it('works without the cache, and goes on at once after a full batch', async () => {
    const expired = new MemoryExpiredAttachmentStore(fixture.database);
    await fixture.task('a');
    for (let i = 0; i < 501; i++) await fixture.text('a', `k${i}`, 'x', { ttlSeconds: 1 });
    fixture.clock.advance(1000);
    fixture.redis.fails = 'unavailable';
    await expect(sweep(expired)).resolves.toEqual({ more: true });
    await expect(sweep(expired)).resolves.toEqual({ more: false });
    expect(fixture.database.events.filter(({ type }) => type === 'task.attachment.expired')).toHaveLength(501);
  });
});

describe('the purge', () => {
  it('forgets tombstones after seven days, and the published events of a day seven days after its end', async () => {
    const expired = new MemoryExpiredAttachmentStore(fixture.database);
    const purge = new PurgeHistory(outbox, expired, fixture.clock);
    await fixture.task('a');
    await fixture.text('a', 'k', 'x');
    await fixture.useCases.deleteAttachment.execute({ taskId: 'a', key: 'k' }, CALLER);
    await publish.execute();
    fixture.clock.advance(DAY_MS);
    await fixture.task('unpublished');

    const endOfDayMs = Math.ceil((fixture.clock.nowMs() - DAY_MS) / DAY_MS) * DAY_MS;
    fixture.clock.advance(endOfDayMs + 7 * DAY_MS - 5000 - fixture.clock.nowMs());
    await purge.execute();
    expect(fixture.database.events).toHaveLength(4);
    expect(await expired.purgeTombstones(Number.MAX_SAFE_INTEGER, 10)).toBe(0);
    for (const ms of [10_000, 30 * DAY_MS]) {
      fixture.clock.advance(ms);
      await expect(purge.execute()).resolves.toEqual({ more: false });
      expect(fixture.database.events.map(taskIdOf)).toEqual(['unpublished']);
    }
  });
});
