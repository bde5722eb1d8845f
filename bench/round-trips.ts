import { Redis } from 'ioredis';
import type { PostgresServer } from '../test/support/postgres-server';
import type { RedisServer } from '../test/support/redis-server';
import { markdownTable } from './markdown-table';
import { ROUND_TRIP_CASES, type RoundTripCase } from './round-trip-cases';
import { RoundTripProxy } from './round-trip-proxy';
import { RpcClient, type Call } from './rpc-client';
import { ServerProcess } from './server-process';
import { withServer, withStores } from './with-servers';

/** The counts must not depend on chance: where they do, the table shows all of them. */
const REPETITIONS = 3;
const ATTACHMENTS_PER_PAGE = 100;

type CacheState = 'cold' | 'warm';

/** How often the service, answering one call at a time, waits for each store. Returns a report in Markdown. */
export function measureRoundTrips(): Promise<string> {
  return withStores((postgres, redis) =>
    withServer(RoundTripProxy.before(postgres.port), (postgresProxy) =>
      withServer(RoundTripProxy.before(redis.port), async (redisProxy) => {
        const env = {
          DATABASE_URL: await urlThrough(postgresProxy, postgres),
          REDIS_URL: `redis://127.0.0.1:${redisProxy.port}`,
        };
        return withServer(ServerProcess.service(env), async ({ url }) => {
          const counter = new RoundTripCounter(new RpcClient(url), redis, {
            redis: redisProxy,
            postgres: postgresProxy,
          });
          return report(await counter.countAll().finally(() => counter.close()));
        });
      }),
    ),
  );
}

async function urlThrough(proxy: RoundTripProxy, postgres: PostgresServer): Promise<string> {
  const url = new URL(await postgres.createDatabase());
  url.port = String(proxy.port);
  return url.href;
}

function report(rows: readonly (readonly string[])[]): string {
  return `## Round trips\n\n${markdownTable(['call', 'cache', 'Redis', 'PostgreSQL'], rows)}`;
}

class RoundTripCounter {
  private readonly direct: Redis;
  private scenes = 0;

  constructor(
    private readonly client: RpcClient,
    redis: RedisServer,
    private readonly proxies: { readonly redis: RoundTripProxy; readonly postgres: RoundTripProxy },
  ) {
    this.direct = new Redis(redis.url);
  }

  async close(): Promise<void> {
    await this.direct.quit();
  }

  /** One row for each case and state of the cache. */
  async countAll(): Promise<string[][]> {
    // The first time, sessions are opened and scripts loaded.
    for (const one of ROUND_TRIP_CASES) await this.count(one, 'cold');
    const rows: string[][] = [];
    for (const one of ROUND_TRIP_CASES) {
      for (const state of ['cold', 'warm'] as const) rows.push(await this.row(one, state));
    }
    return rows;
  }

  private async row(one: RoundTripCase, state: CacheState): Promise<string[]> {
    const redis: number[] = [];
    const postgres: number[] = [];
    for (let i = 0; i < REPETITIONS; i++) {
      const counts = await this.count(one, state);
      redis.push(counts.redis);
      postgres.push(counts.postgres);
    }
    return [one.name, state, distinct(redis), distinct(postgres)];
  }

  private async count(one: RoundTripCase, state: CacheState): Promise<{ redis: number; postgres: number }> {
    const taskIds = await this.arrange(one);
    if (state === 'cold') await this.direct.flushdb();
    else await this.warm(taskIds);
    await this.settled();
    const { redis, postgres } = this.proxies;
    const before = { redis: redis.roundTrips, postgres: postgres.roundTrips };
    await this.client.call(one.call(taskIds), one.isRefused);
    await this.settled();
    return { redis: redis.roundTrips - before.redis, postgres: postgres.roundTrips - before.postgres };
  }

  /** New tasks, so that nothing is left of another call. */
  private async arrange({ tasks = 1, attachments }: RoundTripCase): Promise<string[]> {
    const scene = ++this.scenes;
    const taskIds = Array.from({ length: tasks }, (_, i) => `scene-${scene}-${i}`);
    const keys = Array.from({ length: attachments }, (_, i) => `k${i}`);
    await this.client.callAll(taskIds.map((id) => ({ method: 'task.create', params: { id, text: 'a scene' } })));
    const creations = taskIds.flatMap((taskId) =>
      keys.map((key): Call => {
        return { method: 'task.create_attachment', params: { taskId, key, type: 'text', content: key } };
      }),
    );
    await this.client.callAll(creations);
    return taskIds;
  }

  /** A list that holds a whole task leaves all of it in the cache. */
  private async warm(taskIds: readonly string[]): Promise<void> {
    const params = { limit: ATTACHMENTS_PER_PAGE };
    await this.client.callAll(
      taskIds.map((taskId) => ({ method: 'task.list_attachments', params: { taskId, ...params } })),
    );
  }

  private async settled(): Promise<void> {
    await Promise.all([this.proxies.redis.settled(), this.proxies.postgres.settled()]);
  }
}

function distinct(counts: readonly number[]): string {
  return [...new Set(counts)].sort((a, b) => a - b).join('–');
}
