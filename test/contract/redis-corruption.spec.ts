import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { newReplicaState } from '../../src/app/replica-state';
import { composeUseCases } from '../../src/app/use-cases';
import type { GetAttachment } from '../../src/core/use-cases/attachments/get-attachment';
import type { ListAttachments } from '../../src/core/use-cases/attachments/list-attachments';
import type { ProjectChanges } from '../../src/core/use-cases/upkeep/project-changes';
import { nothingIfWrongType } from '../../src/outbound/redis/redis-error';
import { CALLER, Fixture } from '../support/fixture';
import { openRedisHarness, type RedisCacheHarness } from '../support/redis-cache-harness';

const HOUR_MS = 3_600_000;
const KEYS = ['a', 'b', 'c'] as const;
type Key = (typeof KEYS)[number];
const TASK = 't';

/** More runs, or those of a printed seed: npx jest redis-corruption --globals '{"runs":20000,"seed":1}' */
const { runs = 300, seed = Date.now() % 2 ** 31 } = globalThis as { runs?: number; seed?: number };
const TIMEOUT_MS = 300_000 + runs * 100;
const MAX_READS_UNTIL_HEALED = 5;

const NO_NUMBER = ['', 'x', '-1', '1.5', 'nan', '1e400', ' 5', '0x10', '9'.repeat(20)] as const;
const NO_VERSION = [...NO_NUMBER, String(2 ** 53 - 1)] as const;
/** Wrong texts for the parts of a record: its version, op, mark, state and expiry. */
const WRONG_PARTS = [
  [...NO_VERSION, '0', '1', String(2 ** 52), 'higher', 'lower'],
  ['', 'x', randomUUID()],
  ['', 'bogus', 'journaled', 'drained'],
  ['', 'bogus', 'deleted'],
  ['', 'x', '1', '9'.repeat(20)],
] as const;

const key = fc.constantFrom<Key>(...KEYS);
const part = (at: number) =>
  fc.record({
    kind: fc.constant('part' as const),
    key,
    at: fc.constant(at),
    text: fc.constantFrom(...(WRONG_PARTS[at] ?? [])),
  });
const field = (names: readonly string[], texts: readonly string[]) =>
  fc.record({ kind: fc.constant('field' as const), name: fc.constantFrom(...names), text: fc.constantFrom(...texts) });
const corruption = fc.oneof(
  field(['f', 'd'], NO_VERSION),
  field(['m', 'n', 'x'], NO_NUMBER),
  field(['c', 'o'], ['', 'x', '1.5']),
  field(['r:a', 'r:ghost'], ['', 'x', '5 op cached live', '5 op cached live 0', '5 op cached deleted 0']),
  fc.record({ kind: fc.constant('lost field' as const), name: fc.constantFrom('f', 'm', 'c', 'o', 'n', 'r:a', 'r:b') }),
  ...WRONG_PARTS.flatMap((_, at) => [part(at), part(at)]),
  fc.record({ kind: fc.constant('letter' as const), key, at: fc.nat(80), letter: fc.constantFrom(...'0 9x-') }),
  fc.record({
    kind: fc.constant('hash' as const),
    key,
    name: fc.constantFrom('op', 'version'),
    text: fc.constantFrom('x', '7'),
  }),
  fc.record({ kind: fc.constantFrom('lost hash' as const, 'foreign hash' as const), key }),
  fc.record({ kind: fc.constantFrom('foreign entry' as const, 'foreign control' as const, 'foreign index' as const) }),
);
type Corruption = typeof corruption extends fc.Arbitrary<infer C> ? C : never;

const step = fc.oneof(
  fc.record({ kind: fc.constantFrom('get' as const, 'put' as const, 'delete' as const), key }),
  fc.record({
    kind: fc.constant('list' as const),
    limit: fc.integer({ min: 1, max: 4 }),
    offset: fc.nat(2),
    includeBodies: fc.boolean(),
  }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

describe('the replies of a replica whose Redis holds corrupted data', () => {
  let harness: RedisCacheHarness;
  beforeAll(async () => {
    harness = await openRedisHarness({ isCluster: false });
  });
  afterAll(() => harness?.close());

  it(
    'are right, and come from Redis again after a few calls',
    async () => {
      const corruptions = fc.array(corruption, { minLength: 1, maxLength: 2 });
      const property = fc.asyncProperty(corruptions, fc.array(step, { maxLength: 6 }), async (wrongs, steps) => {
        await harness.empty();
        const replica = new Replica(harness);
        await replica.open();
        for (const wrong of wrongs) await corrupt(harness, wrong).catch(nothingIfWrongType);
        for (const each of steps) await replica.take(each);
        await replica.heal();
      });
      await fc.assert(property, { numRuns: runs, seed });
    },
    TIMEOUT_MS,
  );
});

async function corrupt({ client, keys }: RedisCacheHarness, wrong: Corruption): Promise<void> {
  const [control, index] = [keys.control(TASK), keys.index(TASK)];
  switch (wrong.kind) {
    case 'field':
      return void (await client.hset(control, wrong.name, wrong.text));
    case 'lost field':
      return void (await client.hdel(control, wrong.name));
    case 'part':
    case 'letter': {
      const record = await client.hget(control, `r:${wrong.key}`).catch(() => null);
      if (record) await client.hset(control, `r:${wrong.key}`, misspelt(record, wrong));
      return;
    }
    case 'hash':
      return void (await client.hset(keys.attachment({ taskId: TASK, key: wrong.key }), wrong.name, wrong.text));
    case 'lost hash':
      return void (await client.del(keys.attachment({ taskId: TASK, key: wrong.key })));
    case 'foreign hash':
      return void (await client.set(keys.attachment({ taskId: TASK, key: wrong.key }), 'x'));
    case 'foreign entry':
      return void (await client.zadd(index, 1, 'foreign'));
    case 'foreign control':
      return void (await client.set(control, 'x'));
    case 'foreign index':
      return void (await client.set(index, 'x'));
  }
}

function misspelt(record: string, wrong: Corruption & { kind: 'part' | 'letter' }): string {
  if (wrong.kind === 'letter') return record.slice(0, wrong.at) + wrong.letter + record.slice(wrong.at + 1);
  const parts = record.split(' ');
  const version = Number(parts[0]);
  const near = { higher: String(version + 4096), lower: String(version - 4096) };
  parts[wrong.at] = near[wrong.text as keyof typeof near] ?? wrong.text;
  return parts.join(' ');
}

/** One replica that writes and one that reads. The reader does not know which writes the other one has acknowledged. */
class Replica {
  private readonly fixture: Fixture;
  private readonly projectChanges: ProjectChanges;
  private readonly getAttachment: GetAttachment;
  private readonly listAttachments: ListAttachments;
  private readonly contents = new Map<string, string>();
  private writes = 0;

  constructor(harness: RedisCacheHarness) {
    const opened = { cache: harness.cache(HOUR_MS), cacheEpoch: harness.epoch, journal: harness.journal(HOUR_MS) };
    this.fixture = new (class extends Fixture {
      protected override openCache() {
        return opened;
      }
    })();
    // Another replica reads.
    const reader = composeUseCases(this.fixture.ports, {
      state: { ...newReplicaState(this.fixture.ports), filler: this.fixture.state.filler },
    });
    this.projectChanges = reader.projectChanges;
    this.getAttachment = reader.getAttachment;
    this.listAttachments = reader.listAttachments;
  }

  /** Creates the task, and lets Redis know all of it. */
  async open(): Promise<void> {
    await this.fixture.task(TASK);
    for (const each of KEYS) await this.put(each);
    await this.projectChanges.execute();
    await this.heal();
  }

  async take(taken: Step): Promise<void> {
    switch (taken.kind) {
      case 'get':
        return this.get(taken.key);
      case 'put':
        return this.put(taken.key);
      case 'delete':
        return this.delete(taken.key);
      case 'list':
        return this.list(taken);
    }
  }

  async heal(): Promise<void> {
    const { fixture } = this;
    for (let reads = 0; reads <= MAX_READS_UNTIL_HEALED; reads++) {
      fixture.forgetCalls();
      for (const each of this.contents.keys()) await this.get(each);
      await this.list({ limit: 4, offset: 0, includeBodies: false });
      await fixture.state.filler.idle();
      if (fixture.postgres.calls.length === 0) return;
    }
    throw new Error(`Redis does not answer: ${fixture.postgres.calls.join()}`);
  }

  private async get(asked: string): Promise<void> {
    const answer = this.getAttachment.execute({ taskId: TASK, key: asked }, CALLER).then(
      ({ attachment }) => attachment.content,
      () => undefined,
    );
    expect([asked, await answer]).toEqual([asked, this.contents.get(asked)]);
  }

  private async list(asked: { limit: number; offset: number; includeBodies: boolean }): Promise<void> {
    const query = { taskId: TASK, keyPrefix: '', descending: false, ...asked };
    const { attachments, totalCount } = await this.listAttachments.execute(query, CALLER);
    await this.fixture.state.filler.idle();
    const keys = [...this.contents.keys()].slice(asked.offset, asked.offset + asked.limit);
    const expected = keys.map((each) => [each, asked.includeBodies ? this.contents.get(each) : undefined]);
    expect([totalCount, attachments.map(({ key, content }) => [key, content])]).toEqual([this.contents.size, expected]);
  }

  /** The map has the order of the list, in which an overwritten attachment keeps its place. */
  private async put(put: string): Promise<void> {
    this.fixture.clock.advance(1);
    const content = `content ${++this.writes}`;
    await this.fixture.text(TASK, put, content);
    this.contents.set(put, content);
  }

  private async delete(deleted: string): Promise<void> {
    this.fixture.clock.advance(1);
    const found = this.contents.delete(deleted);
    const deletion = this.fixture.useCases.deleteAttachment.execute({ taskId: TASK, key: deleted }, CALLER);
    expect(
      await deletion.then(
        () => true,
        () => false,
      ),
    ).toBe(found);
  }
}
