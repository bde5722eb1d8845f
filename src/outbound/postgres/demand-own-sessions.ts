import type { Client } from 'pg';
import { StoreError } from '../../core/ports/store-error';
import { OwnSession } from './own-session';
import { startErrorOf } from './postgres-error';

const TIMEOUT_MS = 2500;
/** Other clients of a pooler may hide in one round, and in hardly any two, that sessions are shared. */
const ROUNDS = 8;
const BACKEND = `
  SELECT pg_backend_pid() AS pid, extract(epoch FROM pg_postmaster_start_time())::text AS started_at,
    current_database() AS database`;

interface Backend {
  readonly pid: number;
  readonly started_at: string;
  readonly database: string;
}

/**
 * Makes sure that a connection to `url` has a session of its own, which keeps its settings, prepared statements and
 * locks, and that a connection to `directUrl` has one in the same database. Writes nothing. Throws `StoreError`.
 */
export async function demandOwnSessions(url: string, directUrl: string): Promise<void> {
  // Not a name of those by which replicas are counted: a pooler keeps the session for some time.
  const config = { application_name: 'start of dossier', query_timeout: TIMEOUT_MS };
  const sessions = [url, url, directUrl, directUrl].map((one) => new OwnSession(one, config));
  try {
    const [one, other, direct, otherDirect] = (await Promise.all(
      sessions.slice(0, directUrl === url ? 2 : 4).map((session) => session.open(TIMEOUT_MS)),
    )) as [Client, Client, Client?, Client?];
    await demandApart('DATABASE_URL', one, other);
    if (!direct || !otherDirect) return;
    await demandApart('DATABASE_DIRECT_URL', direct, otherDirect);
    await demandSameDatabase(one, direct);
  } catch (error) {
    throw startErrorOf(error);
  } finally {
    await Promise.all(sessions.map((session) => session.close()));
  }
}

/**
 * A pooler that gives a session to another client after each transaction gives both clients the same one, or one client
 * several. Two statements of one client in a row: a pooler that takes its sessions in turn might else give each client
 * the same one always.
 */
async function demandApart(name: string, one: Client, other: Client): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const own = [await sessionOf(one), await sessionOf(one)];
    const foreign = await sessionOf(other);
    own.push(await sessionOf(one));
    if (new Set(own).size === 1 && !own.includes(foreign)) continue;
    throw unusable(
      `${name} leads to a pooler that takes sessions away after each transaction: ` +
        'set its pool_mode to session, or name the server itself',
    );
  }
}

async function demandSameDatabase(one: Client, direct: Client): Promise<void> {
  const [here, there] = [await backendOf(one), await backendOf(direct)];
  if (here.started_at === there.started_at && here.database === there.database) return;
  throw unusable(`DATABASE_DIRECT_URL leads to another server or database than DATABASE_URL`);
}

async function sessionOf(client: Client): Promise<string> {
  const { pid, started_at } = await backendOf(client);
  return `${pid} ${started_at}`;
}

async function backendOf(client: Client): Promise<Backend> {
  const { rows } = await client.query<Backend>(BACKEND);
  return rows[0] as Backend;
}

function unusable(reason: string): StoreError {
  return new StoreError('postgres', 'failed', { cause: new Error(reason) });
}
