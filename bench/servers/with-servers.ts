import { startPostgres, type PostgresServer } from '../../test/support/postgres-server';
import { startRedis, type RedisServer } from '../../test/support/redis-server';

interface Stoppable {
  stop(): Promise<void>;
}

/** Starts a server, runs some work and stops the server, even if the work fails. */
export async function withServer<Server extends Stoppable, T>(
  starting: Promise<Server>,
  work: (server: Server) => Promise<T>,
): Promise<T> {
  const server = await starting;
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

export interface Stores {
  readonly postgres: PostgresServer;
  readonly redis: RedisServer;
}

/** A private PostgreSQL and a private Redis, both empty. */
export function withStores<T>(work: (postgres: PostgresServer, redis: RedisServer) => Promise<T>): Promise<T> {
  return withServer(startPostgres(), (postgres) => withServer(startRedis(), (redis) => work(postgres, redis)));
}
