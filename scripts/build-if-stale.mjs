// Builds only if dist is missing or older than the newest source file: otherwise `npm start` starts at once.
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const newestSource = readdirSync('src', { recursive: true })
  .map((file) => statSync(join('src', file)).mtimeMs)
  .reduce((newest, mtime) => Math.max(newest, mtime), 0);
const built = statSync('dist/main.js', { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (built < newestSource) execFileSync('npm', ['run', 'build'], { stdio: 'inherit' });
