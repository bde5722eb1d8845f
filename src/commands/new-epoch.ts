import { loadConfig } from '../app/config';
import { openDatabase } from '../app/open-database';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { PostgresStoreServer } from '../outbound/postgres/postgres-store-server';
import { print, type OutputOptions } from './output';

export async function newEpoch(options: OutputOptions): Promise<void> {
  const connection = new PostgresConnection(await openDatabase(loadConfig()));
  try {
    const server = new PostgresStoreServer(connection);
    const { databaseId, epoch: ended } = await server.look();
    await server.beginEpoch(ended);
    const { epoch } = await server.look();
    print(options, { databaseId, epoch }, `database ${databaseId}: epoch ${epoch}`);
  } finally {
    await connection.close();
  }
}
