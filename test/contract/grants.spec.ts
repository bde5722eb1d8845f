import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runMigrations } from '../../src/outbound/postgres/migrate';
import { NatsUse } from '../../src/outbound/postgres/nats-use';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { PostgresOutbox } from '../../src/outbound/postgres/postgres-outbox';
import { PostgresStoreServer } from '../../src/outbound/postgres/postgres-store-server';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { createOwnedDatabase, grant, type RuntimeDatabase } from '../support/runtime-database';
import {
  aPut,
  deleteTree,
  NOW_MS,
  ORGANIZATION,
  postgresHarness,
  storedTask,
  TIMEOUT_MS,
} from './attachment-store.harness';

const FORBIDDEN = { code: '42501' };

describe('deploy/grants.sql', () => {
  let server: PostgresServer;
  let database: RuntimeDatabase;
  let owner: PostgresConnection;
  let role: PostgresConnection;

  beforeAll(async () => {
    server = await startPostgres();
    database = await createOwnedDatabase(server);
    [owner, role] = [database.ownerUrl, database.url].map(
      (url) => new PostgresConnection(serverDatabase({ url, poolSize: 2 })),
    ) as [PostgresConnection, PostgresConnection];
    // As on servers that grant nothing to all.
    await owner.query('ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC');
    await owner.query('REVOKE ALL ON SCHEMA public FROM PUBLIC');
    await runMigrations(serverDatabase({ url: database.ownerUrl, poolSize: 1 }));
    await grant(database);
    await grant(database);
  });
  afterAll(async () => {
    await role?.close();
    await owner?.close();
    await server?.stop();
  });

  it('names every table and view of the schema', async () => {
    const grants = readFileSync(join(__dirname, '../../deploy/grants.sql'), 'utf8').replaceAll(/--.*/g, '');
    const tables = await owner.query<{ name: string }>(
      "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition",
    );
    expect(tables.length).toBeGreaterThan(5);
    expect(tables.filter(({ name }) => !new RegExp(`\\b${name}\\b`).test(grants))).toEqual([]);
  });

  it('lets the role write, delete, take a turn, publish, purge, and begin an epoch', async () => {
    const harness = postgresHarness(role);
    const parent = await storedTask(harness);
    const { id: taskId } = await storedTask(harness, { parentId: parent.id });
    await harness.attachments.put(aPut({ taskId }), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
    expect(await deleteTree(harness, parent.id)).toHaveLength(2);
    expect(await harness.dueTasks.takeTurn(1)).toBe(true);
    const outbox = new PostgresOutbox(role);
    const events = await outbox.unpublished(100);
    expect(events?.length).toBeGreaterThan(4);
    await outbox.markPublished(events ?? []);
    await outbox.purge(Date.now() + 60_000);
    expect(await outbox.backlog()).toMatchObject({ count: 0 });

    const identity = new PostgresStoreServer(role);
    const { epoch } = await identity.look();
    await identity.beginEpoch(epoch);
    expect((await identity.look()).epoch).not.toBe(epoch);
    expect(await new NatsUse(role, true).mayPublish()).toBe(true);
    await NatsUse.end(role);
  });

  it.each([
    'CREATE TABLE mine (id integer)',
    'ALTER TABLE tasks ADD COLUMN mine integer',
    'CREATE OR REPLACE FUNCTION task_lock(p_task_id text) RETURNS bigint LANGUAGE sql AS $$ SELECT 1 $$',
    'DELETE FROM tasks',
    'TRUNCATE outbox_history',
    'DELETE FROM outbox_history',
    'DROP TABLE outbox_default',
    'UPDATE database_identity SET database_id = gen_random_uuid()',
    'DELETE FROM database_identity',
    'UPDATE schema_compatibility SET compatible_from = 0',
    'INSERT INTO dossier_migrations ("timestamp", name) VALUES (1, \'mine\')',
    'UPDATE event_position_key SET key = NULL',
  ])('does not let the role %s', async (statement) => {
    await expect(role.query(statement)).rejects.toMatchObject(FORBIDDEN);
  });

  it('is refused to an owner that may not create the tables of the days, as after a restore into a database of another', async () => {
    const admin = new PostgresConnection(serverDatabase({ url: database.adminUrl, poolSize: 1 }));
    const name = new URL(database.adminUrl).pathname.slice(1);
    try {
      await admin.query(`ALTER DATABASE ${name} OWNER TO postgres`);
      await expect(grant(database)).rejects.toMatchObject({
        message: `the role dossier_owner may not create tables in the database ${name}`,
        hint: expect.stringContaining(`ALTER DATABASE ${name} OWNER TO dossier_owner`) as string,
      });
      await admin.query(`ALTER DATABASE ${name} OWNER TO dossier_owner`);
      await grant(database);
    } finally {
      await admin.close();
    }
  });

  it('gives the role what a later migration creates, before it is run again', async () => {
    await owner.query('CREATE TABLE later (id integer GENERATED ALWAYS AS IDENTITY, note text)');
    await owner.query(
      'CREATE FUNCTION note(p_note text) RETURNS void LANGUAGE sql AS $$ INSERT INTO later (note) VALUES (p_note) $$',
    );
    await role.query("SELECT note('x')");
    expect(await role.query('SELECT id, note FROM later')).toEqual([{ id: 1, note: 'x' }]);
    await owner.query('DROP FUNCTION note');
    await owner.query('DROP TABLE later');
  });
});
