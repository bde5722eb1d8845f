import { newReplicaState } from '../../../../src/app/replica-state';
import { composeUseCases, type UseCases } from '../../../../src/app/use-cases';
import { TreeRemover } from '../../../../src/core/consistency/tree-remover';
import { DomainError } from '../../../../src/core/domain/domain-error';
import { JsonText } from '../../../../src/core/domain/json-text';
import { StoreError } from '../../../../src/core/ports/store-error';
import { CALLER, FOREIGN_CALLER, JournalingFixture } from '../../../support/fixture';

/** The same id in every case, so that answers can be compared byte for byte. */
const ID = 't-1';
const TEXT = { taskId: ID, key: 'k', type: 'text' as const, content: 'x' };
const REF = { taskId: ID, key: 'k' };
const PAGE = { taskId: ID, keyPrefix: '', limit: 50, offset: 0, descending: false, includeBodies: true };
const TASKS = { limit: 100, offset: 0, orderBy: 'createdAt', descending: false } as const;

const METHODS: readonly [string, (useCases: UseCases) => Promise<unknown>][] = [
  ['create an attachment', (one) => one.createAttachment.execute({ ...TEXT, condition: undefined }, CALLER)],
  [
    'create an attachment that is absent',
    (one) => one.createAttachment.execute({ ...TEXT, condition: { ifAbsent: true } }, CALLER),
  ],
  ['get an attachment', (one) => one.getAttachment.execute(REF, CALLER)],
  ['list attachments', (one) => one.listAttachments.execute(PAGE, CALLER)],
  ['list some attachments', (one) => one.listAttachments.execute({ ...PAGE, keyPrefix: 'k' }, CALLER)],
  ['get a batch', (one) => one.getAttachmentsBatch.execute({ requests: [REF], allowMissing: false }, CALLER)],
  ['get a batch with gaps', (one) => one.getAttachmentsBatch.execute({ requests: [REF], allowMissing: true }, CALLER)],
  ['delete an attachment', (one) => one.deleteAttachment.execute(REF, CALLER)],
  ['delete a version', (one) => one.deleteAttachment.execute({ ...REF, ifVersion: 2 }, CALLER)],
  ['create a sub-task', (one) => one.createTask.execute({ id: 't-2', text: 'x', parentId: ID }, CALLER)],
  ['get a task', (one) => one.getTask.execute(ID, CALLER)],
  ['update a task', (one) => one.updateTask.execute({ taskId: ID, updates: { text: 'y' } }, CALLER)],
  ['complete a task', (one) => one.completeTask.execute({ taskId: ID }, CALLER)],
  ['complete a task with a result', (one) => one.completeTask.execute({ taskId: ID, result: JsonText.of(1) }, CALLER)],
  ['cancel a task', (one) => one.cancelTask.execute(ID, CALLER)],
  ['delete a task', (one) => one.deleteTask.execute(ID, CALLER)],
  ['list sub-tasks', (one) => one.listTasks.execute({ ...TASKS, parentId: ID }, CALLER)],
  ['follow a task', (one) => one.followEvents.execute({ taskId: ID }, CALLER)],
  ['follow a task with its sub-tasks', (one) => one.followEvents.execute({ parentId: ID }, CALLER)],
];

/** What the owner has done, through this replica (`here`) or through another one. */
type History = (fixture: JournalingFixture, here: UseCases, there: UseCases) => Promise<unknown>;

const create = async (fixture: JournalingFixture, by: UseCases) => {
  await by.createTask.execute({ id: ID, text: 'x' }, FOREIGN_CALLER);
  fixture.clock.advance(1000);
  await by.createAttachment.execute({ ...TEXT, condition: undefined }, FOREIGN_CALLER);
};

const HISTORIES: readonly [string, History][] = [
  ['is live', (fixture, _, there) => create(fixture, there)],
  ['is live, and known to this replica', (fixture, here) => create(fixture, here)],
  [
    'was deleted',
    async (fixture, _, there) => {
      await create(fixture, there);
      await there.deleteTask.execute(ID, FOREIGN_CALLER);
    },
  ],
  [
    'was deleted by this replica',
    async (fixture, here) => {
      await create(fixture, here);
      await here.deleteTask.execute(ID, FOREIGN_CALLER);
    },
  ],
  [
    'is being deleted by this replica, step by step',
    async (fixture, here) => {
      await create(fixture, here);
      await here.createTask.execute({ id: 't-0', text: 'x', parentId: ID }, FOREIGN_CALLER);
      const { tasks, cache, outbox, clock, ids, settings } = fixture.ports;
      const remover = new TreeRemover(tasks, cache, outbox, clock, ids, settings, fixture.state.acknowledged, 1);
      expect(await remover.step({ taskId: ID, caller: FOREIGN_CALLER }, 1000)).toEqual({ more: true });
    },
  ],
  [
    'was deleted by this replica, unseen by redis',
    async (fixture, here) => {
      await create(fixture, here);
      fixture.redis.fails = 'unavailable';
      await here.deleteTask.execute(ID, FOREIGN_CALLER);
      fixture.redis.fails = undefined;
    },
  ],
  [
    'has a journaled attachment',
    async (fixture, here) => {
      await create(fixture, here);
      fixture.postgres.fails = 'unavailable';
      await here.createAttachment.execute({ ...TEXT, condition: undefined }, FOREIGN_CALLER);
      await here.createAttachment.execute({ ...TEXT, key: 'j', condition: undefined }, FOREIGN_CALLER);
      fixture.postgres.fails = undefined;
    },
  ],
  [
    'has a journaled deletion',
    async (fixture, here) => {
      await create(fixture, here);
      fixture.postgres.fails = 'unavailable';
      await here.deleteAttachment.execute(REF, FOREIGN_CALLER);
      fixture.postgres.fails = undefined;
    },
  ],
];

const WEATHERS: readonly [string, { postgres?: StoreError['outcome']; redis?: StoreError['outcome'] }][] = [
  ['while both stores are up', {}],
  ['while postgres is unavailable', { postgres: 'unavailable' }],
  ['while postgres is silent', { postgres: 'timeout' }],
  ['while redis is unavailable', { redis: 'unavailable' }],
  ['while both stores are unavailable', { postgres: 'unavailable', redis: 'unavailable' }],
];

/** The answer, and which store was asked how often: a difference in the second would show as time. */
async function observe(history: History, method: (useCases: UseCases) => Promise<unknown>, weather: object) {
  const fixture = new JournalingFixture();
  const there = composeUseCases(fixture.ports, { state: newReplicaState(fixture.ports) });
  await history(fixture, fixture.useCases, there);
  fixture.clock.advance(1000);
  fixture.forgetCalls();
  const { postgres, redis } = weather as { postgres?: StoreError['outcome']; redis?: StoreError['outcome'] };
  fixture.postgres.fails = postgres;
  fixture.redis.fails = redis;
  const answer = await method(fixture.useCases).catch((error: unknown) => {
    if (error instanceof DomainError) return error.refusal;
    if (error instanceof StoreError) return { store: error.store, outcome: error.outcome };
    throw error;
  });
  // The position of an empty page counts the rows of all: it is another matter, and opaque on a server.
  const { position: _, ...visible } = answer as { position?: string };
  return { answer: visible, asked: [...fixture.postgres.calls, ...fixture.redis.calls] };
}

describe.each(WEATHERS)('%s', (_, weather) => {
  describe.each(METHODS)('%s', (_, method) => {
    it.each(HISTORIES)(
      'answers for a task of another organisation that %s as for a missing one',
      async (_, history) => {
        const missing = await observe(() => Promise.resolve(), method, weather);
        expect(await observe(history, method, weather)).toEqual(missing);
      },
    );
  });
});
