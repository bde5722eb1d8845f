import { randomBytes, randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { sha256 } from '../inbound/auth/api-keys';
import { isRole, ROLES } from '../inbound/auth/credential';
import { isPrintableName } from '../inbound/auth/printable-name';

const USAGE = `usage: npm run keys:create -- --name NAME [--organization ORGANIZATION] [--role ${ROLES.join('|')}]`;
/** Its hash is not salted and not slow: only a key that cannot be guessed at all may be kept like that. */
const KEY_BYTES = 32;

/** Makes an API key: prints it, this once, and its entry for the file that API_KEYS_FILE names. */
function main(): void {
  const { name, organization, role } = parseArgs({
    options: {
      name: { type: 'string' },
      organization: { type: 'string', default: 'default' },
      role: { type: 'string', default: 'write' },
    },
  }).values;
  if (!isPrintableName(name) || !isPrintableName(organization) || !isRole(role))
    throw new Error('--name, --organization or --role is missing or wrong');

  // The prefix lets scanners of repositories and logs recognise a key that has got there.
  const key = `dossier_${randomBytes(KEY_BYTES).toString('base64url')}`;
  const entry = { id: randomUUID(), name, organization, role, sha256: sha256(key).toString('hex') };
  process.stdout.write(`key, shown only now: ${key}\nentry: ${JSON.stringify(entry)}\n`);
}

try {
  main();
} catch (error) {
  process.stderr.write(`keys:create: ${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
  process.exit(1);
}
