import type { CommonSettings } from '../../src/outbound/postgres/fellow-replicas';
import { FellowReplicas } from '../../src/outbound/postgres/fellow-replicas';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { until } from '../support/poll';
import { withPostgres } from '../support/setups';
import { startPostgres, type PostgresServer } from '../support/postgres-server';

const SETTINGS: CommonSettings = { nats: 'a1', redis: 'b1' };

describe('replicas on one database', () => {
  let server: PostgresServer;
  let url: string;
  let connections: PostgresConnection[];
  beforeAll(async () => {
    server = await startPostgres();
    url = await server.createDatabase();
  });
  afterAll(() => server?.stop());
  beforeEach(() => (connections = []));
  afterEach(async () => {
    for (const connection of connections) await connection.close();
  });

  /** Resolves when the replica has a session; returns what it has been told. */
  async function start(id: string, settings: CommonSettings): Promise<string[]> {
    const told: string[] = [];
    const onOther = (setting: string, replicas: readonly string[]) => told.push(`${setting}: ${replicas.join()}`);
    const fellows = new FellowReplicas(id, settings, onOther);
    const connection = new PostgresConnection(serverDatabase({ url, poolSize: 2, fellows }));
    connections.push(connection);
    await connection.query('SELECT 1');
    await connection.ping(5000);
    return told;
  }

  it('are told which of the others have other settings, by the one that starts later', async () => {
    const first = await start('replica-1', SETTINGS);
    await start('replica-2', { ...SETTINGS, nats: 'a2' });
    const third = await start('replica-3', { nats: 'a2', redis: 'none' });
    await until('it is told', () => third.length === 2);
    expect(third).toEqual(['nats: replica-1', 'redis: replica-1,replica-2']);
    await connections[2]?.ping(5000);
    expect([first.length, third.length]).toEqual([0, 2]);
  });

  it('are told nothing of those that have the same settings, or have ended', async () => {
    await start('replica-1', { ...SETTINGS, redis: 'b2' });
    await connections.pop()?.close();
    const sessions = () =>
      withPostgres(url, (client) =>
        client.query("SELECT FROM pg_stat_activity WHERE application_name LIKE 'dossier ping %'"),
      );
    await until('its session has ended', async () => (await sessions()).rowCount === 0);
    await start('replica-2', SETTINGS);
    const third = await start('replica-3'.padEnd(100, '-'), SETTINGS);
    await start('replica-4', SETTINGS);
    for (const connection of connections) await connection.ping(5000);
    expect(third).toEqual([]);
  });
});
