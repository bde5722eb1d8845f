import type { StoreIdentity } from '../../core/ports/store-identity';
import { StoreServer } from '../../core/ports/store-server';
import { runName } from './admitted-server';
import type { PostgresConnection } from './postgres-connection';
import { readFit, SCHEMA_COLUMNS, type SchemaRow } from './schema-fitness';

/** What `readFit` and `identityOf` need, with the columns of `database_identity` under the name `identity`. */
export const IDENTITY_COLUMNS =
  'identity.database_id, identity.epoch, identity.server AS epoch_server, present_server() AS present_server, ' +
  'pg_postmaster_start_time()::text AS run, ' +
  `(SELECT string_agg(past, ',') FROM jsonb_object_keys(identity.ended_epochs) AS past) AS past, ${SCHEMA_COLUMNS}`;
const LOOK = `SELECT ${IDENTITY_COLUMNS} FROM database_identity AS identity`;
const BEGIN_EPOCH = 'SELECT begin_epoch($1)';

export interface IdentityRow extends SchemaRow {
  database_id: string;
  epoch: string;
  epoch_server: string | null;
  present_server: string | null;
  run: string;
  /** With commas between; null if no epoch has ended. */
  past: string | null;
}

/** Undefined if the epoch began on another server: a new one must begin before anything of it is believed. */
export function identityOf(row: IdentityRow): StoreIdentity | undefined {
  if (row.present_server !== row.epoch_server) return undefined;
  return {
    databaseId: row.database_id,
    epoch: row.epoch,
    server: row.present_server ?? undefined,
    run: row.run,
    past: new Set(row.past?.split(',')),
  };
}

export class PostgresStoreServer extends StoreServer {
  constructor(private readonly connection: PostgresConnection) {
    super();
  }

  async look(): Promise<StoreIdentity> {
    const [row] = await readFit<IdentityRow>(this.connection, LOOK);
    const identity = identityOf(row);
    if (identity) return identity;
    await this.beginEpoch(row.epoch);
    return this.look();
  }

  async beginEpoch(after: string): Promise<void> {
    await this.connection.queryAnyServer(BEGIN_EPOCH, [after]);
  }

  use(identity: StoreIdentity | undefined): void {
    if (identity) this.connection.admit(runName({ server: identity.server ?? null, run: identity.run }));
    else this.connection.refuse();
  }
}
