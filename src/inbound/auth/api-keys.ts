import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { types } from 'node:util';
import type { LoggerService } from '@nestjs/common';
import { isRole, ROLES, type Credential } from './credential';
import { isOrganizationName, isPrintableName } from './printable-name';
import { SpareDescriptor } from './spare-descriptor';

/** Well within the ten seconds in which a change must take effect; reading one small file costs next to nothing. */
const REREAD_INTERVAL_MS = 1000;
const SHA256_HEX = /^[0-9a-f]{64}$/;
/** Of a key that was never filled in; every caller would know it. */
const EMPTY_HASH = sha256('').toString('hex');
const MEMBERS = ['id', 'name', 'organization', 'role', 'sha256'];

interface ApiKey {
  readonly hash: Buffer;
  readonly credential: Credential;
}

/** A key file that cannot be used. The message never quotes the file, which may hold a key by mistake. */
export class ApiKeyFileError extends Error {}

/**
 * The keys of a file: a JSON array of `{ id, name, organization, role, sha256 }`, `sha256` being the key's hash in
 * lower-case hex. The service knows hashes only. With an empty array every key is refused.
 */
export class ApiKeys {
  private readonly spare = new SpareDescriptor();

  private constructor(
    private readonly path: string,
    private text: string | undefined,
    private keys: readonly ApiKey[],
    private readonly logger: LoggerService,
    private readonly readFile: (path: string) => Promise<string>,
  ) {}

  /** Throws `ApiKeyFileError`. */
  static open(path: string, logger: LoggerService, read = readText): ApiKeys {
    try {
      const text = readFileSync(path, 'utf8');
      return new ApiKeys(path, text, parseApiKeys(text), logger, read);
    } catch (error) {
      throw asFileError(error);
    }
  }

  /** From now on a change of the file takes effect by itself. If the file becomes unusable, the old keys stay valid. */
  watch(): void {
    setTimeout(() => void this.reread().finally(() => this.watch()), REREAD_INTERVAL_MS).unref();
  }

  /** Takes as long for a wrong key as for a right one: the whole hash of every entry is compared. */
  find(presented: string): Credential | undefined {
    const hash = sha256(presented);
    let found: Credential | undefined;
    for (const key of this.keys) if (timingSafeEqual(key.hash, hash)) found = key.credential;
    return found;
  }

  private async read(): Promise<string> {
    try {
      return await this.readFile(this.path);
    } catch (error) {
      if (!isOutOfDescriptors(error)) throw error;
      return this.spare.use(() => readFileSync(this.path, 'utf8'));
    }
  }

  /** Never rejects. Compares texts: a mounted or replaced file may keep its time and its size. */
  async reread(): Promise<void> {
    let text: string | undefined;
    try {
      text = await this.read();
      if (text === this.text) return;
      this.keys = parseApiKeys(text);
      this.logger.log(`API_KEYS_FILE has changed: ${this.keys.length} keys are valid`, 'auth');
    } catch (error) {
      // One line for each change, not for each time that the file is read.
      if (text === undefined && this.text === undefined) return;
      this.logger.error(`API_KEYS_FILE ${asFileError(error).message}: the keys read before stay valid`, 'auth');
    }
    this.text = text;
  }
}

export function sha256(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** Throws `ApiKeyFileError`. */
export function parseApiKeys(text: string): ApiKey[] {
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch {
    throw new ApiKeyFileError('is not JSON');
  }
  if (!Array.isArray(entries)) throw new ApiKeyFileError('must be a JSON array');
  for (const member of ['id', 'sha256']) {
    const values = new Set(entries.map((entry: Record<string, unknown> | null) => entry?.[member]));
    if (values.size < entries.length) throw new ApiKeyFileError(`has two entries with the same ${member}`);
  }
  return entries.map(parseEntry);
}

function parseEntry(entry: unknown, i: number): ApiKey {
  const problem = (text: string) => new ApiKeyFileError(`entry ${i + 1}: ${text}`);
  if (typeof entry !== 'object' || entry === null) throw problem('must be an object');
  const { id, name, organization, role, sha256: hash } = entry as Record<string, unknown>;
  if (Object.keys(entry).some((member) => !MEMBERS.includes(member))) {
    throw problem(`must have no members but ${MEMBERS.join(', ')}`);
  }
  if (!isPrintableName(id)) throw problem('id must be a name of 1 to 128 printable characters');
  if (!isPrintableName(name)) throw problem('name must be a name of 1 to 128 printable characters');
  if (!isOrganizationName(organization)) {
    throw problem('organization must be a name of 1 to 128 printable characters, and not blank');
  }
  if (!isRole(role)) throw problem(`role must be one of ${ROLES.join(', ')}`);
  if (typeof hash !== 'string' || !SHA256_HEX.test(hash)) throw problem('sha256 must be 64 lower-case hex digits');
  if (hash === EMPTY_HASH) throw problem('sha256 must not be the hash of the empty string');
  return { hash: Buffer.from(hash, 'hex'), credential: { id: `key:${id}`, caller: { organization, name }, role } };
}

function readText(path: string): Promise<string> {
  return readFile(path, 'utf8');
}

function isOutOfDescriptors(error: unknown): boolean {
  return types.isNativeError(error) && 'code' in error && (error.code === 'EMFILE' || error.code === 'ENFILE');
}

function asFileError(error: unknown): ApiKeyFileError {
  if (error instanceof ApiKeyFileError) return error;
  const code = types.isNativeError(error) && 'code' in error ? String(error.code) : 'unknown error';
  return new ApiKeyFileError(`cannot be read (${code})`);
}
