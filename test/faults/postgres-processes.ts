import { Client } from 'pg';
import { until } from '../support/poll';
import type { PostgresServer } from '../support/postgres-server';

const RESTART_TIMEOUT_MS = 20_000;

/** Halts the server: its connections stay and say nothing, until `resumePostgres` is given what this returns. */
export async function pausePostgres(server: PostgresServer): Promise<readonly number[]> {
  const pids = await haltedProcesses(server);
  signalAll(pids, 'SIGSTOP');
  return pids;
}

export function resumePostgres(pids: readonly number[]): void {
  signalAll(pids, 'SIGCONT');
}

/** Kills it so that it has no time for anything. */
export async function killPostgres(server: PostgresServer): Promise<void> {
  signalAll(await haltedProcesses(server), 'SIGKILL');
  await server.kill();
}

export async function restartPostgres(server: PostgresServer): Promise<void> {
  // It does not start before the last of its former processes has let go of the shared memory.
  const start = () =>
    server.restart().then(
      () => true,
      () => false,
    );
  await until('PostgreSQL has started', start, RESTART_TIMEOUT_MS);
}

/** All its processes; the one that starts others is stopped, so that they stay all. */
async function haltedProcesses({ url, pid }: PostgresServer): Promise<readonly number[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    process.kill(pid, 'SIGSTOP');
    const others = 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()';
    const { rows } = await client.query<{ pid: number }>(others);
    return [pid, ...rows.map((row) => row.pid)];
  } finally {
    // Not waited for: a process that was stopped right after it had started another still holds its connection.
    void client.end().catch(() => undefined);
  }
}

/** One that has ended by itself meanwhile needs no signal. */
function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
