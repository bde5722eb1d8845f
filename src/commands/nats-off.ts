import { loadConfig } from '../app/config';
import { openDatabase } from '../app/open-database';
import { NatsUse } from '../outbound/postgres/nats-use';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { print, type OutputOptions } from './output';

export async function natsOff(options: OutputOptions): Promise<void> {
  const connection = new PostgresConnection(await openDatabase(loadConfig()));
  try {
    await NatsUse.end(connection);
    print(options, { nats: 'off' }, 'NATS is off: events that no replica has published are at GET /events only');
  } finally {
    await connection.close();
  }
}
