import { CALLER, Fixture } from '../support/fixture';
import { openRedisHarness, type RedisCacheHarness } from '../support/redis-cache-harness';

const HOUR_MS = 3_600_000;

/** The use cases on a real Redis, with the clock of this machine: versions are compared with the clock of Redis. */
function fixtureOn(harness: RedisCacheHarness): Fixture {
  const opened = { cache: harness.cache(HOUR_MS), cacheEpoch: harness.epoch, journal: harness.journal(HOUR_MS) };
  const fixture = new (class extends Fixture {
    protected override openCache() {
      return opened;
    }
  })();
  fixture.clock.advance(Date.now() - fixture.clock.nowMs());
  return fixture;
}

describe('a task that has just been created in Redis', () => {
  let harness: RedisCacheHarness;
  let fixture: Fixture;
  beforeAll(async () => (harness = await openRedisHarness({ isCluster: false })));
  afterAll(() => harness?.close());
  beforeEach(async () => {
    await harness.empty();
    fixture = fixtureOn(harness);
    await fixture.useCases.projectChanges.execute();
    await fixture.useCases.drainJournal.execute();
  });

  it('takes what is attached to it at once: create, attach and read ask PostgreSQL twice', async () => {
    fixture.forgetCalls();
    await fixture.useCases.createTask.execute({ id: 't-new', text: 'x' }, CALLER);
    await fixture.text('t-new', 'k', 'content');
    const found = await fixture.useCases.getAttachment.execute({ taskId: 't-new', key: 'k' }, CALLER);
    const listed = await fixture.list('t-new');
    expect(found.attachment.content).toBe('content');
    expect(listed.attachments).toEqual([found.attachment]);
    expect(fixture.postgres.calls).toEqual(['insert', 'put']);
    expect(fixture.redis.calls).toEqual(['readTask', 'fill', 'apply', 'read', 'readPage']);
  });
});
