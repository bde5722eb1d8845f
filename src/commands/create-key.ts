import { randomBytes, randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { sha256 } from '../inbound/auth/api-keys';
import { isRole, ROLES } from '../inbound/auth/credential';
import { isOrganizationName, isPrintableName } from '../inbound/auth/printable-name';
import { UsageError, type Command } from './command';

/** The stored hash is neither salted nor slow: only a key that cannot be guessed at all may be stored like that. */
const KEY_BYTES = 32;

export const createKey: Command = {
  name: 'keys create',
  usage: `--name NAME [--organization ORGANIZATION] [--role ${ROLES.join('|')}]`,
  description:
    'Makes an API key: prints it, this once, and its entry for the file that API_KEYS_FILE names. ' +
    'The organization is default, and the role is write, unless they are given.',

  run(args) {
    const { name, organization, role } = optionsOf(args);
    if (name === undefined) throw new UsageError('--name is missing');
    if (!isPrintableName(name)) throw new UsageError('--name cannot be used: it must be printable');
    if (!isOrganizationName(organization)) throw new UsageError('--organization cannot be used: it must be printable');
    if (!isRole(role)) throw new UsageError(`--role must be one of ${ROLES.join(', ')}`);
    // The prefix lets scanners of repositories and logs recognise a key that has got there.
    const key = `dossier_${randomBytes(KEY_BYTES).toString('base64url')}`;
    const entry = { id: randomUUID(), name, organization, role, sha256: sha256(key).toString('hex') };
    process.stdout.write(`key, shown only now: ${key}\nentry: ${JSON.stringify(entry)}\n`);
  },
};

function optionsOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        name: { type: 'string' },
        organization: { type: 'string', default: 'default' },
        role: { type: 'string', default: 'write' },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
