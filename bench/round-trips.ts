import { Redis } from 'ioredis';
import { markdownTable } from './report/markdown-table';
import { ROUND_TRIP_CASES, type RoundTripCase } from './round-trip-cases';
import { RoundTripProxy } from './round-trip-proxy';
import { RpcClient, type Call } from './rpc-client';
import { ServerProcess } from './servers/server-process';
import { withServer, withStores } from './servers/with-servers';

/** The service's background work can only increase a count, so the lowest of several counts is that of the call. */
const REPETITIONS = 10;
const ATTACHMENTS_PER_PAGE = 100;

type CacheState = 'cold' | 'warm';

/**
 * Counts how often the service waits for each store while it answers one call at a time. Returns a report in Markdown.
 */
export function measureRoundTrips(): Promise<string> {
  return withStores((postgres, redis) =>
    withServer(RoundTripProxy.before(postgres.port), (postgresProxy) =>
      withServer(RoundTripProxy.before(redis.port), async (redisProxy) => {
        const databaseUrl = await postgres.createDatabase();
        const direct = { DATABASE_URL: databaseUrl, REDIS_URL: redis.url };
        const counted = {
          DATABASE_URL: urlThrough(postgresProxy, databaseUrl),
          REDIS_URL: urlThrough(redisProxy, redis.url),
        };
        // The replica that starts first publishes the events of both replicas. It does not use the proxies.
        return withServer(ServerProcess.service(direct), (stageHand) =>
          withServer(ServerProcess.service(counted), async (service) => {
            const clients = { stageHand: new RpcClient(stageHand.rpcUrl), service: new RpcClient(service.rpcUrl) };
            const proxies = { redis: redisProxy, postgres: postgresProxy };
            return report(await countAll(new RoundTripCounter(clients, redis.url, proxies)));
          }),
        );
      }),
    ),
  );
}

function urlThrough(proxy: RoundTripProxy, serverUrl: string): string {
  const url = new URL(serverUrl);
  url.port = String(proxy.port);
  return url.href;
}

/** One row for each case and state of the cache. */
async function countAll(counter: RoundTripCounter): Promise<string[][]> {
  try {
    // The first round opens sessions and loads scripts, so it is not counted.
    for (const one of ROUND_TRIP_CASES) await counter.count(one, 'cold');
    const rows: string[][] = [];
    for (const one of ROUND_TRIP_CASES) {
      for (const state of ['cold', 'warm'] as const) {
        const { redis, postgres } = await counter.lowest(one, state);
        rows.push([one.name, state, String(redis), String(postgres)]);
      }
    }
    return rows;
  } finally {
    await counter.close();
  }
}

function report(rows: readonly (readonly string[])[]): string {
  return `## Round trips\n\n${markdownTable(['call', 'cache', 'Redis', 'PostgreSQL'], rows)}`;
}

interface RoundTrips {
  readonly redis: number;
  readonly postgres: number;
}

class RoundTripCounter {
  private readonly direct: Redis;
  private scenes = 0;

  constructor(
    /** The stage hand prepares the data for a call. Its own calls are not counted. */
    private readonly clients: { readonly stageHand: RpcClient; readonly service: RpcClient },
    redisUrl: string,
    private readonly proxies: { readonly redis: RoundTripProxy; readonly postgres: RoundTripProxy },
  ) {
    this.direct = new Redis(redisUrl);
  }

  async close(): Promise<void> {
    await this.direct.quit();
  }

  async lowest(one: RoundTripCase, state: CacheState): Promise<RoundTrips> {
    const counts: RoundTrips[] = [];
    for (let i = 0; i < REPETITIONS; i++) counts.push(await this.count(one, state));
    return {
      redis: Math.min(...counts.map(({ redis }) => redis)),
      postgres: Math.min(...counts.map(({ postgres }) => postgres)),
    };
  }

  async count(one: RoundTripCase, state: CacheState): Promise<RoundTrips> {
    const taskIds = await this.arrange(one);
    if (state === 'cold') await this.forget();
    else await this.warm(taskIds);
    await this.settled();
    const { redis, postgres } = this.proxies;
    const before = { redis: redis.roundTrips, postgres: postgres.roundTrips };
    const { service } = this.clients;
    await (one.isRefused ? service.refused(one.call(taskIds)) : service.call(one.call(taskIds)));
    await this.settled();
    return { redis: redis.roundTrips - before.redis, postgres: postgres.roundTrips - before.postgres };
  }

  /** All but the owner: without it, the service would not use Redis until it has found out to whom it belongs. */
  private async forget(): Promise<void> {
    const names = (await this.direct.keys('*')).filter((name) => name !== 'cb:store');
    if (names.length > 0) await this.direct.unlink(names);
  }

  /** Creates new tasks, so that nothing is left over from another call. */
  private async arrange({ tasks = 1, attachments }: RoundTripCase): Promise<string[]> {
    const scene = ++this.scenes;
    const taskIds = Array.from({ length: tasks }, (_, i) => `scene-${scene}-${i}`);
    const keys = Array.from({ length: attachments }, (_, i) => `k${i}`);
    await this.clients.stageHand.callAll(
      taskIds.map((id) => ({ method: 'task.create', params: { id, text: 'a scene' } })),
    );
    const creations = taskIds.flatMap((taskId) =>
      keys.map((key): Call => {
        return { method: 'task.create_attachment', params: { taskId, key, type: 'text', content: key } };
      }),
    );
    await this.clients.stageHand.callAll(creations);
    return taskIds;
  }

  /** Listing a whole task puts all of it into the cache. */
  private async warm(taskIds: readonly string[]): Promise<void> {
    const params = { limit: ATTACHMENTS_PER_PAGE };
    await this.clients.stageHand.callAll(
      taskIds.map((taskId) => ({ method: 'task.list_attachments', params: { taskId, ...params } })),
    );
  }

  private async settled(): Promise<void> {
    await Promise.all([this.proxies.redis.settled(), this.proxies.postgres.settled()]);
  }
}
