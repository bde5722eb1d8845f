import { UnfitSchemaError } from '../../core/ports/unfit-schema-error';
import type { Query } from './pooled-session';
import { PUBLISHER_LOCK } from './publisher-session';
import { exist } from './schema-fitness';

/**
 * Sessions of the service by their name, and the one that publishes also by its lock: a URL may give sessions another
 * name. A session knows nothing of those behind a pooler but what the pooler passes on, which includes both.
 */
const REPLICAS = `
  SELECT count(*)::integer AS count, string_agg(DISTINCT host(client_addr), ', ') AS hosts
  FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND (application_name LIKE 'dossier%' OR pid IN (
    SELECT pid FROM pg_locks
    WHERE locktype = 'advisory' AND (classid::bigint << 32) | objid::bigint = ${PUBLISHER_LOCK} AND granted
  ))`;

const CONTENTS = `
  SELECT current_database() AS database,
    (SELECT count(*) FROM tasks WHERE deleted_version IS NULL) AS tasks,
    (SELECT count(*) FROM task_attachments WHERE NOT deleted) AS attachments,
    (SELECT count(*) FROM outbox WHERE NOT published) AS events`;

export interface Contents {
  readonly database: string;
  /** How many there are. */
  readonly tasks: string;
  readonly attachments: string;
  /** Not published yet. */
  readonly events: string;
}

/** Undefined if there is no schema. */
export async function contentsOf(query: Query): Promise<Contents | undefined> {
  if (!(await exist(query, 'tasks', 'outbox'))) return undefined;
  const [contents] = await query<Contents>(CONTENTS);
  return contents;
}

/** Throws `UnfitSchemaError` if another session of the service is there. */
export async function demandNoReplicas(query: Query): Promise<void> {
  const [row] = await query<{ count: number; hosts: string | null }>(REPLICAS);
  if (!row || row.count === 0) return;
  // A role sees the addresses of its own sessions only.
  const from = row.hosts === null ? '' : `, from ${row.hosts}`;
  throw new UnfitSchemaError(`the service is connected to the database (sessions: ${row.count}${from}): stop it first`);
}

/** Only the version that has made the last migration can undo it. */
export function demandNothingLater(done: readonly { readonly name: string }[], known: readonly string[]): void {
  const later = done.map(({ name }) => name).filter((name) => !known.includes(name));
  if (later.length === 0) return;
  throw new UnfitSchemaError(`the schema is that of a later release, which alone can remove it: ${later.join(', ')}`);
}
