import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { transformFileSync } from '@swc/core';

const ROOT = join(__dirname, '../..');

/** A version of the service in a folder of its own, built, with the packages of this one. */
export interface OtherVersion {
  readonly name: string;
  /** Returns the folder. */
  build(): string;
}

/**
 * The code before the last migration came, from the history of the repository. In a copy without history the present
 * code takes its place: then only what `retired-functions.spec.ts` calls shows what an earlier version would find.
 */
export function previousVersion(): OtherVersion {
  const commit = commitBefore(lastMigrationFile());
  if (commit) return { name: `commit ${commit.slice(0, 12)}`, build: () => buildCommit(commit) };
  return { name: 'no history here: the present one in its place', build: copyOfPresent };
}

/** The present code with further migrations, by the name of their files, without `.up.sql`. */
export function laterVersion(migrations: Readonly<Record<string, string>>): string {
  const folder = copyOfPresent();
  for (const [name, sql] of Object.entries(migrations)) {
    writeFileSync(join(folder, 'migrations', `${name}.up.sql`), sql);
    writeFileSync(join(folder, 'migrations', `${name}.down.sql`), 'SELECT 1');
  }
  return folder;
}

export function removeVersion(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

function lastMigrationFile(): string {
  const files = readdirSync(join(ROOT, 'migrations')).filter((file) => file.endsWith('.up.sql'));
  return files.sort().at(-1) as string;
}

/** The last commit of this line of the history that does not have the migration; undefined if it is not known. */
function commitBefore(migration: string): string | undefined {
  try {
    const path = `migrations/${migration}`;
    const additions = git('log', '--first-parent', '-m', '--diff-filter=A', '--format=%H', '--', path);
    const [addition] = additions.split('\n');
    return git('rev-parse', '--verify', '--quiet', addition ? `${addition}^1` : 'HEAD');
  } catch {
    return undefined;
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

/** File by file, as the tests themselves are compiled: the compiler would take most of a minute. */
function buildCommit(commit: string): string {
  const folder = newFolder();
  const archive = execFileSync('git', ['archive', commit, 'src', 'migrations', 'package.json'], {
    cwd: ROOT,
    maxBuffer: 2 ** 28,
  });
  execFileSync('tar', ['-x', '-C', folder], { input: archive });
  for (const file of readdirSync(join(folder, 'src'), { recursive: true, encoding: 'utf8' })) {
    const [from, to] = [join(folder, 'src', file), join(folder, 'dist', file)];
    if (/\.(ts|lua)$/.test(file)) mkdirSync(dirname(to), { recursive: true });
    if (file.endsWith('.ts')) writeFileSync(to.replace(/ts$/, 'js'), compiled(from));
    if (file.endsWith('.lua')) cpSync(from, to);
  }
  return folder;
}

function compiled(path: string): string {
  return transformFileSync(path, {
    swcrc: false,
    module: { type: 'commonjs' },
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
    },
  }).code;
}

function copyOfPresent(): string {
  const folder = newFolder();
  for (const part of ['dist', 'migrations', 'package.json']) {
    const isWanted = (path: string) => path !== join(ROOT, 'dist/bench');
    cpSync(join(ROOT, part), join(folder, part), { recursive: true, filter: isWanted });
  }
  return folder;
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dossier-version-'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}
