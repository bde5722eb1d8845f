import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '../../src/outbound/postgres/database';
import { openMemoryDatabase } from '../../src/outbound/postgres/embedded-database';
import { revertMigrations, runMigrations } from '../../src/outbound/postgres/migrate';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { sqlMigrations } from '../../src/outbound/postgres/sql-migrations';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { aPut, found, NOW_MS, ORGANIZATION, postgresHarness, storedTask, TIMEOUT_MS } from './attachment-store.harness';

/** Held by whoever migrates. */
const MIGRATION_LOCK = '7234017283807667300';

describe('migrations', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  const emptyDatabase = async () => serverDatabase({ url: await server.createDatabase(), poolSize: 2 });
  const objects = (connection: PostgresConnection) =>
    connection.query(`
      SELECT relname AS name FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'migrations'
      UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
      ORDER BY name`);

  describe.each<[string, () => Promise<Database>]>([
    ['PostgreSQL', emptyDatabase],
    ['PGlite', openMemoryDatabase],
  ])('on %s', (_, open) => {
    it('go up, down without a trace, and up again to a schema that works', async () => {
      const database = await open();
      const connection = new PostgresConnection(database);
      try {
        const names = await runMigrations(database);
        expect(names).toEqual(['Initial1763683200000', 'WriteFunctions1763683200001', 'NamedArguments1763683200002']);
        await expect(runMigrations(database)).resolves.toEqual([]);
        const created = await objects(connection);
        expect(created.length).toBeGreaterThan(5);

        await revertMigrations(database);
        expect(await objects(connection)).toEqual([]);

        await runMigrations(database);
        const harness = postgresHarness(connection);
        const { id: taskId } = await storedTask(harness);
        await harness.attachments.put(aPut({ taskId }), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
        expect(await found(harness, taskId)).toBeDefined();
        expect(await objects(connection)).toEqual(created);
      } finally {
        await connection.close();
      }
    });
  });

  it('run once when several replicas start at once', async () => {
    const url = await server.createDatabase();
    const replicas = Array.from({ length: 5 }, () => runMigrations(serverDatabase({ url, poolSize: 2 })));
    const done = await Promise.all(replicas);
    expect(done.map(({ length }) => length).sort()).toEqual([0, 0, 0, 0, 3]);
  });

  it('wait for nobody when nothing is left to do', async () => {
    const database = await emptyDatabase();
    const connection = new PostgresConnection(database);
    try {
      await runMigrations(database);
      await connection.transaction(async (query) => {
        await query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
        await expect(runMigrations(database)).resolves.toEqual([]);
      });
    } finally {
      await connection.close();
    }
  });

  it('leave nothing behind when one fails', async () => {
    const database = await emptyDatabase();
    const connection = new PostgresConnection(database);
    try {
      await connection.query('CREATE TABLE outbox (seq bigint)');
      await expect(runMigrations(database)).rejects.toMatchObject({ store: 'postgres', outcome: 'failed' });
      expect(await objects(connection)).toEqual([{ name: 'outbox' }]);
    } finally {
      await connection.close();
    }
  });

  it('are refused when one cannot be undone', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dossier-migrations-'));
    try {
      writeFileSync(join(folder, '1763683200000-initial.up.sql'), 'SELECT 1');
      expect(() => sqlMigrations(folder)).toThrow('1763683200000-initial.down.sql');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
