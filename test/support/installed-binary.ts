import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** What brings each server, by its program. */
const PACKAGES = {
  'redis-server': { apt: 'redis-server', brew: 'redis' },
  'nats-server': { apt: 'nats-server', brew: 'nats-server' },
  initdb: { apt: 'postgresql', brew: 'postgresql@17' },
};

/** Where servers are installed that a service account's PATH leaves out. */
function extraFolders(): string[] {
  const debianPostgres = '/usr/lib/postgresql';
  const versions = existsSync(debianPostgres) ? readdirSync(debianPostgres) : [];
  return [
    ...versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(debianPostgres, version, 'bin')),
    '/usr/sbin',
    '/usr/local/sbin',
    '/opt/homebrew/bin',
    '/opt/homebrew/opt/postgresql@17/bin',
  ];
}

export function findBinary(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(':').concat(extraFolders());
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** The path of a server's program: from the PATH, else installed by the package manager, else an error that says what. */
export function findOrInstall(name: keyof typeof PACKAGES): string {
  const packages = PACKAGES[name];
  const found = findBinary(name) ?? (install(packages), findBinary(name));
  if (found) return found;
  throw new Error(
    `The tests need ${name}. Install it first: apt-get install ${packages.apt} (Debian) or brew install ${packages.brew} (macOS).`,
  );
}

function install({ apt, brew }: { apt: string; brew: string }): void {
  const run = (command: string, args: string[]) => execFileSync(command, args, { stdio: 'ignore' });
  try {
    if (findBinary('apt-get') && process.getuid?.() === 0) {
      run('apt-get', ['update', '-qq']);
      run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', apt]);
    } else if (findBinary('brew')) {
      run('brew', ['install', '--quiet', brew]);
    }
  } catch {
    // The caller looks for the program again and says what is missing.
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
