import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface KeyFile {
  readonly path: string;
  /** The headers of a caller that has not been used yet. */
  nextCaller(): { readonly 'x-api-key': string };
  remove(): void;
}

/** Keys of different callers of one organisation, all with the same name. */
export function writeKeyFile(count: number): KeyFile {
  const folder = mkdtempSync(join(tmpdir(), 'dossier-keys-'));
  const path = join(folder, 'keys.json');
  const keys = Array.from({ length: count }, (_, i) => `key-${i}`);
  const entries = keys.map((key) => ({
    id: `id of ${key}`,
    name: 'tester',
    organization: 'default',
    role: 'admin',
    sha256: createHash('sha256').update(key).digest('hex'),
  }));
  writeFileSync(path, JSON.stringify(entries));
  return {
    path,
    nextCaller() {
      const key = keys.pop();
      if (!key) throw new Error('there are no more keys');
      return { 'x-api-key': key };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
