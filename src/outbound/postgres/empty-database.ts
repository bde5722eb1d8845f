import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { dataDir as withoutSchema } from '@electric-sql/pglite-prepopulatedfs';
import { UnpackSync } from 'tar';

/** Made by `npm run build`. Absent in the sources. */
const WITH_SCHEMA = join(__dirname, '../../empty-database.tgz');

/** The identity of a database that has only been unpacked: all have it, until it is renewed. */
export const UNNAMED = '00000000-0000-0000-0000-000000000000';

/** What no two databases may have in common. Does nothing to a database that has its own, or no schema. */
const RENEW_IDENTITY = `
DO $$
BEGIN
  IF to_regclass('database_identity') IS NULL THEN
    RETURN;
  END IF;
  UPDATE database_identity
  SET database_id = gen_random_uuid(), epoch = gen_random_uuid(), began_at = now()
  WHERE database_id = '${UNNAMED}';
  IF FOUND THEN
    -- The change of the epoch was noted as the end of one, which it is not.
    UPDATE database_identity SET ended_epochs = '{}';
    UPDATE event_position_key
    SET key = sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'));
  END IF;
END
$$`;

/**
 * An archive of the files of a database without rows: with the schema of this build, whose migrations need not be run
 * then, or without a schema. To unpack it takes a fraction of the time in which PostgreSQL would initialise a database.
 */
export async function emptyDatabase(): Promise<Blob> {
  try {
    return new Blob([await readFile(WITH_SCHEMA)]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return withoutSchema();
    throw error;
  }
}

/** Puts its files below `folder`, which exists. Throws if one cannot be written. Nothing else goes on meanwhile. */
export async function unpackEmptyDatabase(folder: string): Promise<void> {
  const archive = await (await emptyDatabase()).arrayBuffer();
  // In one go: it takes half of the CPU time that it takes in turns, and nothing is served yet.
  new UnpackSync({ cwd: folder, onwarn: failUnlessInformed }).end(Buffer.from(archive));
}

/** The paths in the archive are absolute, of which the library only informs. */
function failUnlessInformed(code: string, message: string | Error): void {
  if (code !== 'TAR_ENTRY_INFO') throw message instanceof Error ? message : new Error(message);
}

/** Gives an unpacked database an identity of its own, unless it has got one. */
export async function nameDatabase(pglite: PGlite): Promise<void> {
  await pglite.exec(RENEW_IDENTITY);
}
