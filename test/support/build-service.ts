import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');

/** Brings `dist` up to date if the run contains tests of the built service; no patterns means all tests. */
export function buildServiceFor(testPathPatterns: readonly string[]): void {
  const folders = ['test/clients', 'test/deploy', 'test/e2e', 'test/faults'];
  const paths = folders.flatMap((folder) => readdirSync(join(ROOT, folder)).map((file) => join(ROOT, folder, file)));
  const isWanted = (pattern: string) => paths.some((path) => new RegExp(pattern, 'i').test(path));
  if (testPathPatterns.length > 0 && !testPathPatterns.some(isWanted)) return;
  execFileSync(process.execPath, ['scripts/build-if-stale.mjs'], { cwd: ROOT, stdio: 'inherit' });
}
