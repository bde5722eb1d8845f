import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import { dataDir as withoutSchema } from '@electric-sql/pglite-prepopulatedfs';
import type { Database } from '../../src/outbound/postgres/database';
import { nameDatabase } from '../../src/outbound/postgres/empty-database';
import { runMigrations } from '../../src/outbound/postgres/migrate';

/** The archive that `npm run build` makes. */
const ARCHIVE = new Blob([readFileSync(join(__dirname, '../../dist/empty-database.tgz'))]);

describe('an embedded database that begins from the archive of the build', () => {
  const opened: PGlite[] = [];

  afterAll(() => Promise.all(opened.map((pglite) => pglite.close())));

  const open = async (archive: Blob) => {
    const pglite = await PGlite.create({ loadDataDir: archive });
    opened.push(pglite);
    await nameDatabase(pglite);
    return pglite;
  };
  const migrate = (pglite: PGlite) => {
    const migrating = { type: 'postgres', extra: { ...createPgConfig(pglite), idleTimeoutMillis: 0 } } as const;
    return runMigrations({ migrating } as unknown as Database);
  };
  /** The values of each column that has any, without times: those pass for everybody. */
  const valuesOf = async (pglite: PGlite) => {
    const columns = await pglite.query<{ name: string; values: string }>(`
      SELECT c.table_name || '.' || c.column_name AS name,
        query_to_xml(format('SELECT %I::text AS v FROM %I ORDER BY 1', c.column_name, c.table_name), true, false, '')::text
          AS values
      FROM information_schema.columns AS c JOIN information_schema.tables AS t USING (table_schema, table_name)
      WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.data_type NOT LIKE 'timestamp%'`);
    return new Map(columns.rows.map(({ name, values }) => [name, values]));
  };
  const differences = async (archive: Blob) => {
    const [one, other] = [await open(archive), await open(archive)];
    for (const pglite of [one, other]) await migrate(pglite);
    const [values, otherValues] = [await valuesOf(one), await valuesOf(other)];
    return [...values.keys()].filter((name) => values.get(name) !== otherValues.get(name)).sort();
  };

  it('needs no migration', async () => {
    expect(await migrate(await open(ARCHIVE))).toEqual([]);
  });

  it('shares with another one nothing in which two databases that ran the migrations differ', async () => {
    const own = await differences(await withoutSchema());
    expect(own).toContain('database_identity.database_id');
    expect(await differences(ARCHIVE)).toEqual(own);
  });

  it('keeps its identity when it is opened again', async () => {
    const pglite = await open(ARCHIVE);
    const before = await valuesOf(pglite);
    await nameDatabase(pglite);
    expect(await valuesOf(pglite)).toEqual(before);
    expect(before.get('database_identity.database_id')).not.toContain('00000000-0000-0000-0000-000000000000');
  });
});
