import { randomBytes, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { API_KEYS } from '../inbound/auth/api-keys';
import { isRole, ROLES } from '../inbound/auth/credential';
import { sha256 } from '../inbound/auth/key-file';
import { OPERATOR_KEYS } from '../inbound/auth/operator-keys';
import { isOrganizationName, isPrintableName } from '../inbound/auth/printable-name';
import { appendKey } from './append-key';
import { CommandError, EXIT, UsageError } from './exit-code';
import type { OutputOptions } from './output';

/** The stored hash is neither salted nor slow: only a key that cannot be guessed at all may be stored like that. */
const KEY_BYTES = 32;

export interface CreateKeyOptions extends OutputOptions {
  readonly name: string;
  readonly organization: string;
  readonly role: string;
  /** For an operator of the service, in the place of a caller. */
  readonly operator?: boolean;
  /** The key file that gets the entry. */
  readonly append?: string;
}

export function createKey({ name, organization, role, operator = false, append, json }: CreateKeyOptions): void {
  if (!isPrintableName(name)) throw new UsageError('--name cannot be used: it must be printable');
  if (!isOrganizationName(organization)) throw new UsageError('--organization cannot be used: it must be printable');
  if (!isRole(role)) throw new UsageError(`--role must be one of ${ROLES.join(', ')}`);
  // The prefix lets scanners of repositories and logs recognise a key that has got there.
  const key = `dossier_${randomBytes(KEY_BYTES).toString('base64url')}`;
  const holder = operator ? { name } : { name, organization, role };
  const entry = { id: randomUUID(), ...holder, sha256: sha256(key).toString('hex') };
  const text = json ? JSON.stringify({ key, entry }) : `key, shown only now: ${key}\nentry: ${JSON.stringify(entry)}`;
  const show = () => printAtOnce(text);
  if (append === undefined) return show();
  // A key that is printed must be valid, and one that could not be printed must not be.
  appendKey(append, entry, operator ? OPERATOR_KEYS : API_KEYS, show);
  if (!json) process.stdout.write(`added to ${append}\n`);
}

/** A stream would report later that it cannot write. */
function printAtOnce(text: string): void {
  try {
    writeFileSync(process.stdout.fd, `${text}\n`);
  } catch (error) {
    throw new CommandError(`the key cannot be printed, so it was not made: ${(error as Error).message}`, EXIT.failed);
  }
}
