// Builds what is missing, or older than the newest of its source files: otherwise `npm start` starts at once.
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const BUILDS = [
  { sources: ['src', 'migrations'], built: 'dist/empty-database.tgz', script: 'build' },
  { sources: ['client/src'], built: 'client/dist/dossier-client.js', script: 'build:client' },
];

for (const { sources, built, script } of BUILDS) {
  const newestSource = sources
    .flatMap((folder) => readdirSync(folder, { recursive: true }).map((file) => join(folder, file)))
    .map((path) => statSync(path).mtimeMs)
    .reduce((newest, mtime) => Math.max(newest, mtime), 0);
  const builtAt = statSync(built, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (builtAt < newestSource) execFileSync('npm', ['run', script], { stdio: 'inherit' });
}
