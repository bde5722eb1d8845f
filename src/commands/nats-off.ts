import { loadConfig } from '../app/config';
import { openDatabase } from '../app/open-database';
import { NatsUse } from '../outbound/postgres/nats-use';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { refuseMore, type Command } from './command';

export const natsOff: Command = {
  name: 'nats off',
  usage: '',
  description: 'Lets replicas without NATS_URL count events as published, until one with NATS_URL starts.',

  async run(args) {
    refuseMore(args);
    const connection = new PostgresConnection(await openDatabase(loadConfig()));
    try {
      await NatsUse.end(connection);
      process.stdout.write('NATS is off: events that no replica has published are at GET /events only\n');
    } finally {
      await connection.close();
    }
  },
};
