import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { API_KEYS } from '../inbound/auth/api-keys';
import { KeyFileError, parseKeys, type KeyFileFormat } from '../inbound/auth/key-file';

/** Of a new file: only its owner needs to know who has keys. */
const MODE = 0o600;

/**
 * Adds an entry to a key file, which is created if it is missing. The file is replaced as a whole: the service reads it
 * as it was, or as it is then. A link stays one, and owner and mode stay as they are. Throws if the file cannot be
 * used. `show` is called when nothing is left to do but that: if it throws, the file stays as it was.
 */
export function appendKey(
  path: string,
  entry: object,
  format: KeyFileFormat<unknown> = API_KEYS,
  show: () => void = () => undefined,
): void {
  const target = realPathOf(path);
  const next = `${target}.new`;
  const file = openNew(next);
  try {
    writeFileSync(file, withEntry(path, target, entry, format));
    const old = statSync(target, { throwIfNoEntry: false });
    if (old) {
      fchownSync(file, old.uid, old.gid);
      fchmodSync(file, old.mode);
    }
    fsyncSync(file);
    show();
    renameSync(next, target);
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

function withEntry(path: string, target: string, entry: object, format: KeyFileFormat<unknown>): string {
  const text = statSync(target, { throwIfNoEntry: false }) ? readFileSync(target, 'utf8') : '[]';
  try {
    parseKeys(text, format);
  } catch (error) {
    throw error instanceof KeyFileError ? new Error(`${path} ${error.message}`) : error;
  }
  return `${JSON.stringify([...(JSON.parse(text) as object[]), entry], undefined, 2)}\n`;
}

function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Two commands at once would lose one of the keys. */
function openNew(path: string): number {
  if (existsSync(path)) {
    throw new Error(`${path} is there: another command is adding a key, or was interrupted. Then remove it`);
  }
  return openSync(path, 'wx', MODE);
}
