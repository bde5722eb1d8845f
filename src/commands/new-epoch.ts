import { loadConfig } from '../app/config';
import { openDatabase } from '../app/open-database';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { PostgresStoreServer } from '../outbound/postgres/postgres-store-server';
import { refuseMore, type Command } from './command';

export const newEpoch: Command = {
  name: 'new-epoch',
  usage: '',
  description: 'Tells replicas that the database was restored, where they cannot find out: nothing cached is believed.',

  async run(args) {
    refuseMore(args);
    const connection = new PostgresConnection(await openDatabase(loadConfig()));
    try {
      const server = new PostgresStoreServer(connection);
      const { databaseId, epoch } = await server.look();
      await server.beginEpoch(epoch);
      process.stdout.write(`database ${databaseId}: epoch ${(await server.look()).epoch}\n`);
    } finally {
      await connection.close();
    }
  },
};
