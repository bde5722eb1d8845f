import { loadConfig } from '../app/config';
import { NatsUse } from '../outbound/postgres/nats-use';
import { print, type OutputOptions } from './output';
import { withPostgres } from './with-connection';

export async function natsOff(options: OutputOptions): Promise<void> {
  await withPostgres(loadConfig(), (connection) => NatsUse.end(connection));
  print(options, { nats: 'off' }, 'NATS is off: events that no replica has published are at GET /events only');
}
