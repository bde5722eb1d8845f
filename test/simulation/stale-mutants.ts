import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MUTANTS } from './mutants';

const ROOT = join(__dirname, '../..');

/** Names of mutants that can no longer be made: what they replace is not in their file, or is there more than once. */
export function staleMutants(): readonly string[] {
  const isStale = ({ file, find }: (typeof MUTANTS)[number]) =>
    readFileSync(join(ROOT, file), 'utf8').split(find).length !== 2;
  return MUTANTS.filter(isStale).map(({ name }) => name);
}
