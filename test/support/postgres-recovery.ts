import { execFile, execFileSync } from 'node:child_process';
import { appendFileSync, chownSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from './poll';
import { unprivilegedUser, type PostgresServer } from './postgres-server';
import { withPostgres } from './setups';

const BACKUP = 'base';

/** Backs up all that the server has now, beside its archive. */
export async function backUp({ url, binaries, archive }: PostgresServer): Promise<void> {
  const to = join(archive, BACKUP);
  await rm(to, { recursive: true, force: true });
  const options = ['-d', url, '-D', to, '-X', 'fetch', '-c', 'fast', '--no-sync', '--no-manifest'];
  await promisify(execFile)(join(binaries, 'pg_basebackup'), options, { ...unprivilegedUser(), cwd: archive });
}

export function createRestorePoint({ url }: PostgresServer, name: string): Promise<unknown> {
  return withPostgres(url, (client) => client.query('SELECT pg_create_restore_point($1)', [name]));
}

/** Resolves when all that was committed up to now is in the archive. */
export function untilArchived({ url }: PostgresServer): Promise<boolean> {
  return withPostgres(url, async (client) => {
    const { rows } = await client.query<{ last: string }>('SELECT pg_walfile_name(pg_switch_wal()) AS last');
    return until('the log is archived', async () => {
      const archived = 'SELECT FROM pg_stat_archiver WHERE substr(last_archived_wal, 9, 16) >= substr($1, 9, 16)';
      return (await client.query(archived, [rows[0]?.last])).rowCount === 1;
    });
  });
}

/** Puts the last backup of the server into an empty data folder. */
export function restoreBackup({ archive }: PostgresServer, data: string): void {
  execFileSync('cp', ['-a', `${join(archive, BACKUP)}/.`, data]);
}

/** After `kill`: starts it with what the last backup and the archive have up to this restore point. */
export async function recoverTo(server: PostgresServer, restorePoint: string): Promise<void> {
  const { archive } = server;
  await server.restartWith((data, owner) => {
    restoreBackup(server, data);
    const settings = [
      `restore_command = 'cp ${archive}/%f "%p"'`,
      `recovery_target_name = '${restorePoint}'`,
      "recovery_target_action = 'promote'",
    ];
    appendFileSync(join(data, 'postgresql.auto.conf'), `${settings.join('\n')}\n`);
    const signal = join(data, 'recovery.signal');
    writeFileSync(signal, '');
    if (owner) chownSync(signal, owner.uid, owner.gid);
  });
}
