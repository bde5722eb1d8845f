import { hash, timingSafeEqual } from 'node:crypto';
import { isPrintableName } from './printable-name';

const SHA256_HEX = /^[0-9a-f]{64}$/;
/** Of a key that was never filled in; every caller would know it. */
const EMPTY_HASH = sha256('').toString('hex');
const COMMON_MEMBERS = ['id', 'name', 'sha256'];

/** A key file that cannot be used. The message never quotes the file, which may hold a key by mistake. */
export class KeyFileError extends Error {}

/** What every entry of a key file has, and what it has besides. */
export interface KeyEntry {
  readonly id: string;
  readonly name: string;
  readonly more: Readonly<Record<string, unknown>>;
}

export interface KeyFileFormat<Holder> {
  /** The variable that names the file. */
  readonly variable: string;
  /** Of an entry, besides `id`, `name` and `sha256`. */
  readonly members: readonly string[];
  /** Who has the key; a text says what is wrong with the entry. */
  readonly holderOf: (entry: KeyEntry) => Holder | string;
}

export interface Key<Holder> {
  readonly hash: Buffer;
  readonly holder: Holder;
}

/** Those that are valid now, by their hashes: the service knows no key itself. */
export class Keys<Holder> {
  private known: readonly Key<Holder>[] = [];
  private byPrefix = new Map<number, Key<Holder>[]>();

  constructor(private readonly valid: () => readonly Key<Holder>[]) {}

  /**
   * Compares hashes as a whole, in constant time, and only those that begin as that of the key does: of ten thousand
   * entries hardly ever more than one. How a hash begins helps nobody to find a key of 256 random bits.
   */
  find(presented: string): Holder | undefined {
    const keys = this.valid();
    if (keys !== this.known) this.learn(keys);
    const presentedHash = sha256(presented);
    const alike = this.byPrefix.get(prefixOf(presentedHash)) ?? [];
    let found: Holder | undefined;
    for (const key of alike) if (timingSafeEqual(key.hash, presentedHash)) found = key.holder;
    return found;
  }

  private learn(keys: readonly Key<Holder>[]): void {
    this.known = keys;
    this.byPrefix = new Map();
    for (const key of keys) {
      const prefix = prefixOf(key.hash);
      this.byPrefix.set(prefix, [...(this.byPrefix.get(prefix) ?? []), key]);
    }
  }
}

function prefixOf(hash: Buffer): number {
  return hash.readUInt32BE(0);
}

export function sha256(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}

/**
 * The keys of a file: a JSON array of objects with `id`, `name` and `sha256`, the key's hash in lower-case hex. With an
 * empty array every key is refused. Throws `KeyFileError`.
 */
export function parseKeys<Holder>(text: string, format: KeyFileFormat<Holder>): Key<Holder>[] {
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch {
    throw new KeyFileError('is not JSON');
  }
  if (!Array.isArray(entries)) throw new KeyFileError('must be a JSON array');
  for (const member of ['id', 'sha256']) {
    const values = new Set(entries.map((entry: Record<string, unknown> | null) => entry?.[member]));
    if (values.size < entries.length) throw new KeyFileError(`has two entries with the same ${member}`);
  }
  return entries.map((entry, i) => parseEntry(entry, i, format));
}

function parseEntry<Holder>(entry: unknown, i: number, { members, holderOf }: KeyFileFormat<Holder>): Key<Holder> {
  const problem = (text: string) => new KeyFileError(`entry ${i + 1}: ${text}`);
  if (typeof entry !== 'object' || entry === null) throw problem('must be an object');
  const { id, name, sha256: hash, ...more } = entry as Record<string, unknown>;
  if (Object.keys(more).some((member) => !members.includes(member))) {
    throw problem(`must have no members but ${[...COMMON_MEMBERS, ...members].sort().join(', ')}`);
  }
  if (!isPrintableName(id)) throw problem('id must be a name of 1 to 128 printable characters');
  if (!isPrintableName(name)) throw problem('name must be a name of 1 to 128 printable characters');
  const holder = holderOf({ id, name, more });
  if (typeof holder === 'string') throw problem(holder);
  if (typeof hash !== 'string' || !SHA256_HEX.test(hash)) throw problem('sha256 must be 64 lower-case hex digits');
  if (hash === EMPTY_HASH) throw problem('sha256 must not be the hash of the empty string');
  return { hash: Buffer.from(hash, 'hex'), holder };
}
