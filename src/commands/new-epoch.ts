import { loadConfig } from '../app/config';
import type { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { PostgresStoreServer } from '../outbound/postgres/postgres-store-server';
import { print, type OutputOptions } from './output';
import { withPostgres } from './with-connection';

export async function newEpoch(options: OutputOptions): Promise<void> {
  const { databaseId, epoch } = await withPostgres(loadConfig(), beginEpoch);
  print(options, { databaseId, epoch }, `database ${databaseId}: epoch ${epoch}`);
}

async function beginEpoch(connection: PostgresConnection) {
  const server = new PostgresStoreServer(connection);
  const { epoch: ended } = await server.look();
  await server.beginEpoch(ended);
  return server.look();
}
