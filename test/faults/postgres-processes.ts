import { Client } from 'pg';
import { pauseProcesses, resumeProcesses } from '../support/pause-processes';
import { until } from '../support/poll';
import type { PostgresServer } from '../support/postgres-server';

const RESTART_TIMEOUT_MS = 20_000;

/** The server keeps its connections, and replies to nothing, until `resumePostgres` is given what this returns. */
export async function pausePostgres(server: PostgresServer): Promise<readonly number[]> {
  const pids = await haltedProcesses(server);
  pauseProcesses(pids);
  return pids;
}

export function resumePostgres(pids: readonly number[]): void {
  resumeProcesses(pids);
}

/** Kills all its processes at once, so that none can finish anything. */
export async function killPostgres(server: PostgresServer): Promise<void> {
  for (const pid of await haltedProcesses(server)) kill(pid);
  await server.kill();
}

export async function restartPostgres(server: PostgresServer): Promise<void> {
  // It cannot start until the last of its former processes has released the shared memory.
  const start = () =>
    server.restart().then(
      () => true,
      () => false,
    );
  await until('PostgreSQL has started', start, RESTART_TIMEOUT_MS);
}

/** All its processes. The postmaster is paused first, so that no other process is added. */
async function haltedProcesses({ url, pid }: PostgresServer): Promise<readonly number[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    pauseProcesses([pid]);
    const others = 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()';
    const { rows } = await client.query<{ pid: number }>(others);
    return [pid, ...rows.map((row) => row.pid)];
  } finally {
    // Not awaited: the paused postmaster may still hold a copy of this connection, which then does not close.
    void client.end().catch(() => undefined);
  }
}

/** A process that has ended by itself meanwhile needs no signal. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
