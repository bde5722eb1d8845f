import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

interface Package {
  readonly apt: string;
  readonly brew: string;
  /** Other names of the program, or its paths if no folder of programs has it. */
  readonly also?: readonly string[];
}

/** The package that contains each program. */
const PACKAGES = {
  'redis-server': { apt: 'redis-server', brew: 'redis' },
  'nats-server': { apt: 'nats-server', brew: 'nats-server' },
  openssl: { apt: 'openssl', brew: 'openssl@3' },
  pgbouncer: { apt: 'pgbouncer', brew: 'pgbouncer' },
  haproxy: { apt: 'haproxy', brew: 'haproxy' },
  promtool: { apt: 'prometheus', brew: 'prometheus' },
  psql: { apt: 'postgresql-client', brew: 'postgresql@17' },
  unzip: { apt: 'unzip', brew: 'unzip' },
  initdb: { apt: 'postgresql', brew: 'postgresql@17' },
  python3: { apt: 'python3', brew: 'python3' },
  chromium: {
    apt: 'chromium',
    brew: 'google-chrome',
    also: [
      'chromium-browser',
      'google-chrome',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    ],
  },
} satisfies Record<string, Package>;

/** Folders of servers that are often not on the PATH. */
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
  if (isAbsolute(name)) return isExecutable(name) ? name : undefined;
  const folders = (process.env['PATH'] ?? '').split(':').concat(extraFolders());
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** The path of a server's program. One that is missing is installed by the package manager if that is possible. */
export function findOrInstall(name: keyof typeof PACKAGES): string {
  const { apt, brew, also = [] }: Package = PACKAGES[name];
  const find = () => [name, ...also].map(findBinary).find((path) => path !== undefined);
  const found = find() ?? (install(name), find());
  if (found) return found;
  throw new Error(
    `The tests need ${name}. Install it first: apt-get install ${apt} (Debian) or brew install ${brew} (macOS).`,
  );
}

function install(name: keyof typeof PACKAGES): void {
  const commands = installCommands(PACKAGES[name]);
  const last = commands.at(-1);
  if (!last) return;
  process.stderr.write(
    `The tests need ${name}, which is not on this machine: now running "${last.join(' ')}". ` +
      'To prevent that, install it yourself before the tests.\n',
  );
  try {
    for (const [command, ...args] of commands) execFileSync(command, args, { stdio: 'ignore' });
  } catch {
    // The caller looks for the program again and says what is missing.
  }
}

function installCommands({ apt, brew }: { apt: string; brew: string }): (readonly [string, ...string[]])[] {
  if (findBinary('apt-get') && process.getuid?.() === 0) {
    return [
      ['apt-get', 'update', '-qq'],
      ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', apt],
    ];
  }
  return findBinary('brew') ? [['brew', 'install', '--quiet', brew]] : [];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
