import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { until } from './poll';
import { startPostgres, type PostgresServer } from './postgres-server';
import { startRedis, type RedisServer } from './redis-server';
import { createRuntimeDatabase } from './runtime-database';
import { startService, type Environment, type Service } from './service';

/** The name of the service's process in a test. */
export const INSTANCE_ID = 'instance-1';

/** A service with everything that it needs, private to the test. */
export interface Setup {
  readonly environment: Environment;
  /** Undefined if everything is embedded in the service. */
  readonly servers?: Servers;
  /** The process that serves now. */
  readonly service: Service;
  /** Nothing is cached any more. */
  forgetCache(): Promise<void>;
  /** A process in the place of one that has ended. */
  startAgain(): Promise<void>;
  close(): Promise<void>;
}

export interface Servers {
  readonly postgres: PostgresServer;
  readonly redis: RedisServer;
  /** Of the superuser: the service has a role of its own. */
  readonly databaseUrl: string;
}

/** The two set-ups that every promise holds on, for `describe.each`; `open` takes more variables for the service. */
export const SETUPS = [
  { name: 'embedded', open: openEmbedded },
  { name: 'on PostgreSQL and Redis', open: openOnServers },
];

/** PGlite on disk, and a cache in the process itself. */
async function openEmbedded(more: Environment = {}): Promise<Setup> {
  const folder = mkdtempSync(join(tmpdir(), 'dossier-data-'));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  return open({ INSTANCE_ID, DATA_DIR: folder, ...more }, { close: removeFolder });
}

export async function openOnServers(more: Environment = {}): Promise<Setup> {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis({ appendOnly: true })]);
  const close = async () => void (await Promise.all([postgres.stop(), redis.stop()]));
  const { url, adminUrl: databaseUrl } = await createRuntimeDatabase(postgres);
  const servers = { postgres, redis, databaseUrl };
  return open({ INSTANCE_ID, DATABASE_URL: url, REDIS_URL: redis.url, ...more }, { servers, close });
}

async function open(
  environment: Environment,
  { servers, close }: { servers?: Servers; close: () => Promise<void> | void },
): Promise<Setup> {
  let service: Service;
  try {
    service = await startService(environment);
  } catch (error) {
    await close();
    throw error;
  }
  const startAgain = async () => void (service = await startService(environment));
  return {
    environment,
    servers,
    startAgain,
    get service() {
      return service;
    },
    async forgetCache() {
      if (servers) return withRedis(servers.redis.url, async (redis) => void (await redis.flushall()));
      await service.stop();
      await startAgain();
    },
    async close() {
      await service.kill();
      await close();
    },
  };
}

/** What is written in the first moments of a task is cached when it is read, unless a projection comes in between. */
export function untilCached(
  service: Service,
  redisUrl: string,
  taskId: string,
  headers: Environment = {},
): Promise<true> {
  return until(`task ${taskId} is cached`, async () => {
    await service.result('task.list_attachments', { taskId }, headers);
    const complete = (redis: Redis) => redis.hget(`cb:task:${taskId}:control`, 'c');
    return (await withRedis(redisUrl, complete)) === '1';
  });
}

export async function withRedis<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

export async function withPostgres<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return work(client).finally(() => client.end());
}
