import { loadConfig } from '../app/config';
import { NatsUse } from '../outbound/postgres/nats-use';
import { print, type OutputOptions } from './output';
import { withPostgres } from './with-connection';

export async function natsOff(options: OutputOptions): Promise<void> {
  await withPostgres(loadConfig(), (connection) => NatsUse.end(connection));
  print(
    options,
    { nats: 'off' },
    'NATS is off, until a replica with NATS_URL publishes: events that none has published are at GET /events only',
  );
}
