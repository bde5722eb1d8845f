import { isDeepStrictEqual } from 'node:util';
import { until } from '../support/poll';
import type { RpcReply, Service } from '../support/service';
import { withPostgres, withRedis } from '../support/setups';
import type { WireAttachmentPage } from '../support/wire-values';
import { STORE_FAILED, UNAVAILABLE } from './client';
import { killPostgres, pausePostgres, restartPostgres, resumePostgres } from './postgres-processes';
import { RECOVERED_AFTER_MS, startReplicas, untilRecovered, type Replica, type ReplicaGroup } from './replica-group';

const NO_ANSWER = { attachments: [], totalCount: 0, hasMore: false, degraded: true };

/** In the words of `wordFor`. */
type Answer = 'done' | 'degraded' | 'not found' | 'unavailable' | 'empty and degraded';

/** The expected answer to each kind of call. */
interface Answers {
  readonly create: Answer;
  readonly overwrite: Answer;
  readonly delete: Answer;
  readonly conditional: Answer;
  readonly cached: Answer;
  readonly uncached: Answer;
  readonly missing: Answer;
  readonly batch: Answer;
  readonly list: Answer;
  readonly filteredList: Answer;
  readonly uncachedList: Answer;
  readonly createTask: Answer;
  readonly getTask: Answer;
}

const NORMAL: Answers = {
  create: 'done',
  overwrite: 'done',
  delete: 'done',
  conditional: 'done',
  cached: 'done',
  uncached: 'done',
  missing: 'not found',
  batch: 'done',
  list: 'done',
  filteredList: 'done',
  uncachedList: 'done',
  createTask: 'done',
  getTask: 'done',
};
const WITHOUT_POSTGRES: Answers = {
  create: 'degraded',
  overwrite: 'degraded',
  delete: 'degraded',
  conditional: 'unavailable',
  cached: 'done',
  uncached: 'unavailable',
  missing: 'unavailable',
  batch: 'done',
  list: 'done',
  filteredList: 'degraded',
  uncachedList: 'empty and degraded',
  createTask: 'unavailable',
  getTask: 'unavailable',
};
const WITHOUT_BOTH: Answers = {
  ...WITHOUT_POSTGRES,
  create: 'unavailable',
  overwrite: 'unavailable',
  delete: 'unavailable',
  cached: 'unavailable',
  batch: 'unavailable',
  list: 'empty and degraded',
  filteredList: 'empty and degraded',
};

interface Outage {
  readonly name: string;
  readonly answers: Answers;
  /** Resolves with the function that ends it. */
  readonly begin: (group: ReplicaGroup) => Promise<() => Promise<void> | void>;
}

const OUTAGES: readonly Outage[] = [
  { name: 'nothing is down', answers: NORMAL, begin: () => Promise.resolve(() => undefined) },
  {
    name: 'NATS is down',
    answers: NORMAL,
    begin: async ({ nats }) => {
      await nats.kill();
      return () => nats.restart();
    },
  },
  {
    name: 'Redis is down',
    answers: NORMAL,
    begin: async ({ redis }) => {
      await redis.kill();
      return () => redis.restart();
    },
  },
  {
    name: 'Redis is silent',
    answers: NORMAL,
    begin: ({ redis }) => {
      redis.pause();
      return Promise.resolve(() => redis.resume());
    },
  },
  {
    name: 'PostgreSQL is down',
    answers: WITHOUT_POSTGRES,
    begin: async ({ postgres }) => {
      await killPostgres(postgres);
      return () => restartPostgres(postgres);
    },
  },
  {
    name: 'PostgreSQL is silent',
    answers: WITHOUT_POSTGRES,
    begin: async ({ postgres }) => {
      const pids = await pausePostgres(postgres);
      return () => resumePostgres(pids);
    },
  },
  {
    name: 'both are down',
    answers: WITHOUT_BOTH,
    begin: async ({ postgres, redis }) => {
      await Promise.all([killPostgres(postgres), redis.kill()]);
      return async () => void (await Promise.all([restartPostgres(postgres), redis.restart()]));
    },
  },
];

describe('every replica answers as documented while', () => {
  let group: ReplicaGroup;
  let tasks = 0;

  beforeAll(async () => {
    group = await startReplicas(2);
  });
  afterAll(() => group?.close());

  it.each(OUTAGES)('$name; afterwards PostgreSQL has every acknowledged write', async ({ answers, begin }) => {
    await untilRecovered(group);
    const calls = await Promise.all(group.replicas.map((replica) => prepare(replica, `t${++tasks}`)));
    const end = await begin(group);
    let replies: Record<keyof Answers, RpcReply>[];
    try {
      replies = await Promise.all(calls.map((call) => call()));
    } finally {
      await end();
    }
    for (const ofReplica of replies) expect(words(ofReplica)).toEqual(answers);

    await untilRecovered(group);
    await until('every acknowledged write is in PostgreSQL', () => isStored(replies), RECOVERED_AFTER_MS);
  });

  /** Resolves with a function that makes all calls at once. */
  async function prepare({ service }: Replica, id: string) {
    const [read, written, forgotten] = [`${id}-read`, `${id}-written`, `${id}-forgotten`];
    const attachment = (taskId: string, key: string) => ({ taskId, key, type: 'json', value: 1 });
    for (const taskId of [read, written, forgotten]) {
      await service.result('task.create', { id: taskId, text: 'x' });
      for (const key of ['a', 'b']) await service.result('task.create_attachment', attachment(taskId, key));
    }
    for (const taskId of [read, written]) await until('the cache knows the task', () => isCached(service, taskId));
    await withRedis(group.redis.url, (redis) =>
      redis.del(`cb:task:${forgotten}:control`, `cb:task:${forgotten}:attachments`),
    );
    const calls: Record<keyof Answers, readonly [method: string, params: object]> = {
      create: ['task.create_attachment', attachment(written, 'new')],
      overwrite: ['task.create_attachment', attachment(written, 'a')],
      delete: ['task.delete_attachment', { taskId: written, key: 'b' }],
      conditional: ['task.create_attachment', { ...attachment(written, 'conditional'), ifAbsent: true }],
      cached: ['task.get_attachment', { taskId: read, key: 'a' }],
      uncached: ['task.get_attachment', { taskId: forgotten, key: 'a' }],
      missing: ['task.get_attachment', { taskId: read, key: 'no-such-key' }],
      batch: ['task.get_attachments_batch', { requests: [{ taskId: read, key: 'a' }] }],
      list: ['task.list_attachments', { taskId: read }],
      filteredList: ['task.list_attachments', { taskId: read, type: 'json', keyPrefix: 'a' }],
      uncachedList: ['task.list_attachments', { taskId: forgotten }],
      createTask: ['task.create', { id, text: 'x' }],
      getTask: ['task.get', { id: read }],
    };
    return async () => {
      const replies = Object.entries(calls).map(async ([name, call]) => [name, await service.rpc(...call)]);
      return Object.fromEntries(await Promise.all(replies)) as Record<keyof Answers, RpcReply>;
    };
  }

  /** Whether PostgreSQL has every acknowledged write. */
  function isStored(replies: readonly Record<keyof Answers, RpcReply>[]): Promise<boolean> {
    const writes = replies.flatMap(({ create, overwrite, conditional, delete: deletion }) =>
      [create, overwrite, conditional, deletion].flatMap(({ result }) => (result ? [result] : [])),
    );
    const query = 'SELECT version, deleted FROM task_attachments WHERE task_id = $1 AND key = $2';
    return withPostgres(group.databaseUrl, async (client) => {
      for (const { taskId, key, version, deleted } of writes) {
        const { rows } = await client.query<{ version: string; deleted: boolean }>(query, [taskId, key]);
        const [row] = rows;
        if (deleted ? !row?.deleted : row?.version !== String(version)) return false;
      }
      return true;
    });
  }
});

/** Whether gets and lists of the task come from the cache. */
async function isCached(service: Service, taskId: string): Promise<boolean> {
  const hitsBefore = await cacheHits(service);
  const { attachments } = await service.result<WireAttachmentPage>('task.list_attachments', { taskId });
  for (const { key } of attachments) await service.result('task.get_attachment', { taskId, key });
  return (await cacheHits(service)) === hitsBefore + 2 * attachments.length;
}

async function cacheHits(service: Service): Promise<number> {
  const { text } = await service.fetch('/metrics');
  return Number(/^dossier_cache_hits_total (\d+)$/m.exec(text)?.[1]);
}

function words(replies: Record<keyof Answers, RpcReply>): object {
  return Object.fromEntries(Object.entries(replies).map(([name, reply]) => [name, wordFor(reply)]));
}

/** An answer that is not among the promised ones is shown as it is. */
function wordFor({ result, error }: RpcReply): string {
  if (error?.code === UNAVAILABLE) return 'unavailable';
  // A silent store has used up the time of the call.
  if (error?.code === STORE_FAILED && error.data?.['code'] === 'TIMEOUT') return 'unavailable';
  if (error?.message.includes('not found')) return 'not found';
  if (!result) return JSON.stringify(error);
  if (isDeepStrictEqual(result, NO_ANSWER)) return 'empty and degraded';
  return result['degraded'] ? 'degraded' : 'done';
}
