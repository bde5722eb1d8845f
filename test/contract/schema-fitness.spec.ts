import { UnfitSchemaError } from '../../src/core/ports/unfit-schema-error';
import type { Database } from '../../src/outbound/postgres/database';
import { openMemoryDatabase } from '../../src/outbound/postgres/embedded-database';
import { runMigrations } from '../../src/outbound/postgres/migrate';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { PostgresOutbox } from '../../src/outbound/postgres/postgres-outbox';
import { PostgresStoreServer } from '../../src/outbound/postgres/postgres-store-server';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { lastMigration } from '../../src/outbound/postgres/sql-migrations';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { createOwnedDatabase, createRuntimeDatabase } from '../support/runtime-database';

const LATER = 'UPDATE schema_compatibility SET compatible_from = 9999999999999, first_release = $1';
const EARLIER = 'DELETE FROM dossier_migrations WHERE "timestamp" = (SELECT max("timestamp") FROM dossier_migrations)';
const TOO_OLD = expect.stringContaining('needs release 9.0.0 or later, with the migration 9999999999999') as unknown;
const TOO_NEW = expect.stringContaining('run `dossier migrate up`') as unknown;

describe('the fitness of a schema', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  /** With as many sessions as the work of the test needs, and one more for it to look. */
  const onServer = (url: string) => serverDatabase({ url, poolSize: 2 });

  describe('on PostgreSQL', () => {
    let database: Database;
    let connection: PostgresConnection;
    let outbox: PostgresOutbox;
    beforeEach(async () => {
      database = onServer(await server.createDatabase());
      connection = new PostgresConnection(database);
      outbox = new PostgresOutbox(connection);
      await runMigrations(database);
    });
    afterEach(() => connection?.close());

    const changes = () => outbox.changes(undefined, 10, 1000);
    const look = () => new PostgresStoreServer(connection).look();
    const expectUnfit = async (reason: unknown) => {
      for (const reading of [changes, look]) {
        await expect(reading()).rejects.toMatchObject({ name: 'UnfitSchemaError', outcome: 'failed', reason });
      }
    };

    it('is given after the migrations of this version, and after later ones that leave it compatible', async () => {
      await expect(changes()).resolves.toMatchObject({ changes: [] });
      await connection.query(`INSERT INTO dossier_migrations ("timestamp", name) VALUES (9999999999999, 'Later')`);
      await connection.query('UPDATE schema_compatibility SET compatible_from = $1', [lastMigration()]);
      await expect(changes()).resolves.toMatchObject({ changes: [] });
      await expect(look()).resolves.toHaveProperty('epoch');
      await expect(connection.migrate(true)).resolves.toEqual([]);
      await expect(connection.migrate(false)).resolves.toEqual([]);
    });

    it('ends with a later migration that this version cannot work with', async () => {
      await connection.query(LATER, ['9.0.0']);
      await expectUnfit(TOO_OLD);
    });

    it('ends even if the later migration has removed what the reading needs', async () => {
      await connection.query(LATER, ['9.0.0']);
      await connection.query('ALTER TABLE outbox RENAME TO journal_of_changes');
      await connection.query('ALTER TABLE database_identity RENAME COLUMN epoch TO era');
      await expectUnfit(TOO_OLD);
    });

    it('is not given if a backup of an earlier version has been restored, or of none', async () => {
      await connection.query(EARLIER);
      await expectUnfit(TOO_NEW);
      await connection.query('DROP TABLE schema_compatibility');
      await expectUnfit(TOO_NEW);
    });

    it('is not judged by a statement that fails for another reason', async () => {
      await connection.query('ALTER TABLE outbox RENAME TO gone');
      await expect(changes()).rejects.toMatchObject({ name: 'StoreError', code: '42P01' });
    });

    it('is judged before anything is written', async () => {
      await connection.query("UPDATE database_identity SET server = 'another one'");
      await connection.query(LATER, ['9.0.0']);
      const [before] = await connection.query('SELECT xmin, * FROM database_identity');
      await expectUnfit(TOO_OLD);
      await connection.query(EARLIER);
      await expect(runMigrations(database)).rejects.toMatchObject({ name: 'UnfitSchemaError', reason: TOO_OLD });
      const records = await connection.query('SELECT FROM dossier_migrations WHERE "timestamp" = $1', [
        lastMigration(),
      ]);
      expect(records).toEqual([]);
      expect(await connection.query('SELECT xmin, * FROM database_identity')).toEqual([before]);
    });
  });

  it('is judged on PGlite, too', async () => {
    const database = await openMemoryDatabase();
    const connection = new PostgresConnection(database);
    try {
      await runMigrations(database);
      const outbox = new PostgresOutbox(connection);
      await expect(outbox.changes(undefined, 10, 1000)).resolves.toMatchObject({ changes: [] });
      await connection.query(LATER, ['9.0.0']);
      await expect(outbox.changes(undefined, 10, 1000)).rejects.toMatchObject({ reason: TOO_OLD });
      await expect(runMigrations(database)).rejects.toMatchObject({ reason: TOO_OLD });
    } finally {
      await connection.close();
    }
  });

  it('is demanded without writing anything', async () => {
    const connection = new PostgresConnection(onServer(await server.createDatabase()));
    try {
      await expect(connection.migrate(false)).rejects.toMatchObject({ name: 'UnfitSchemaError', reason: TOO_NEW });
      await expect(
        connection.query("SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace"),
      ).resolves.toEqual([]);
    } finally {
      await connection.close();
    }
  });

  it('cannot be reached by a role that may not change the schema, and is found by it afterwards', async () => {
    const { url, ownerUrl } = await createRuntimeDatabase(server);
    const [role, owner] = [new PostgresConnection(onServer(url)), new PostgresConnection(onServer(ownerUrl))];
    try {
      await owner.query("DELETE FROM dossier_migrations WHERE name LIKE 'SchemaCompatibility%'");
      await expect(role.migrate(true)).rejects.toMatchObject({
        name: 'UnfitSchemaError',
        reason: expect.stringMatching(
          /may not change it: permission denied .*run `dossier migrate up` as the role that owns/,
        ) as unknown,
      });
      await owner.query('DROP TABLE schema_compatibility');
      await expect(owner.migrate(true)).resolves.toHaveLength(1);
      await expect(role.migrate(true)).resolves.toEqual([]);
    } finally {
      await role.close();
      await owner.close();
    }
  });

  it('is unknown to a role without grants', async () => {
    const { url, ownerUrl } = await createOwnedDatabase(server);
    await runMigrations(onServer(ownerUrl));
    const connection = new PostgresConnection(onServer(url));
    try {
      const reason = expect.stringContaining('run deploy/grants.sql') as unknown;
      await expect(connection.migrate(true)).rejects.toMatchObject({ name: 'UnfitSchemaError', reason });
      await expect(connection.migrate(false)).rejects.toBeInstanceOf(UnfitSchemaError);
    } finally {
      await connection.close();
    }
  });
});
