import { escapeLiteral, type ClientBase, type QueryResult } from 'pg';
import { StoreError } from '../../core/ports/store-error';

const ENCODING = 'UTF8';

/** What our statements, functions and parsers depend on: a role, a database or a server may have other defaults. */
const MEANING: Readonly<Record<string, string>> = {
  client_encoding: ENCODING,
  datestyle: 'ISO, MDY',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  standard_conforming_strings: 'on',
  bytea_output: 'hex',
  array_nulls: 'on',
  transform_null_equals: 'off',
  extra_float_digits: '1',
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
};

/** A caller has a share of the sessions: a statement that took several processes of the server would take more. */
const SHARE: Readonly<Record<string, string>> = { max_parallel_workers_per_gather: '0' };

/** How soon the server cancels the statement of a client that has gone: a call that timed out must not hold locks. */
const CONNECTION_CHECK_MS = 500;

/** An acknowledged write must outlive a crash of the server. How many servers must have it is the operator's choice. */
const DURABLE = `DO $$ BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN SET synchronous_commit = 'on'; END IF;
END $$`;

/** In ms; 0 for no limit. */
export interface SessionLimits {
  readonly statement_timeout: number;
  readonly lock_timeout: number;
  readonly idle_in_transaction_session_timeout: number;
  readonly idle_session_timeout: number;
  readonly tcp_user_timeout?: number;
}

export const NO_LIMITS: SessionLimits = {
  statement_timeout: 0,
  lock_timeout: 0,
  idle_in_transaction_session_timeout: 0,
  idle_session_timeout: 0,
};

/**
 * Sets all of it in one round trip. Not as parameters of the start-up: poolers refuse most of them. Throws `StoreError`
 * if the database cannot hold our texts. What the URL of the server asks for gives way to what we need.
 */
export async function prepareSession(
  session: ClientBase,
  limits: SessionLimits,
  ofTheUrl: Readonly<Record<string, string>> = {},
): Promise<void> {
  const wanted = Object.entries(ofTheUrl).map((setting) => {
    // Unlike SET, it takes a list as the server's own configuration does.
    return `SELECT set_config(${setting.map(escapeLiteral).join(', ')}, false)`;
  });
  const settings = Object.entries({ ...MEANING, ...SHARE, ...limits }).map(
    ([name, value]) => `SET ${name} = '${value}'`,
  );
  const optional = [
    orNothing(`SET client_connection_check_interval = ${CONNECTION_CHECK_MS}`),
    orNothing('SET transaction_timeout = 0'),
  ];
  const question = "SELECT current_database() AS database, current_setting('server_encoding') AS encoding";
  // The client returns one result for each of several statements, which its types do not know.
  const results = (await session.query(
    [...wanted, ...settings, DURABLE, ...optional, question].join(';'),
  )) as unknown as QueryResult[];
  const { database, encoding } = results.at(-1)?.rows[0] as { database: string; encoding: string };
  if (encoding === ENCODING) return;
  const cause = new Error(`the database ${database} has the encoding ${encoding}: it must be ${ENCODING}`);
  throw new StoreError('postgres', 'failed', { cause });
}

/** A server may lack the setting, depending on its version and its operating system. */
function orNothing(statement: string): string {
  return `DO $$ BEGIN ${statement}; EXCEPTION WHEN OTHERS THEN NULL; END $$`;
}
