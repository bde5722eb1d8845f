import { readFileSync } from 'node:fs';
import { ConfigError, quote, type Variables } from './environment';

/** These may carry a password or a key. Each may be in a file instead, which `<name>_FILE` names. */
const SECRET_VARIABLES = [
  'DATABASE_URL',
  'DATABASE_DIRECT_URL',
  'REDIS_URL',
  'NATS_URL',
  'NATS_TOKEN',
  'NATS_PASSWORD',
  'JWT_PUBLIC_KEY',
  'OTEL_EXPORTER_OTLP_HEADERS',
];

/** The variables that name such a file. */
export const SECRET_FILE_VARIABLES = SECRET_VARIABLES.map((name) => `${name}_FILE`);

/**
 * The variables, with what is in the files in the place of the variables that name them. Throws `ConfigError`; no
 * message repeats the content of a file.
 */
export function withSecretFiles(variables: Variables, names: readonly string[] = SECRET_VARIABLES): Variables {
  const secrets = names.flatMap((name) => {
    const path = variables[`${name}_FILE`]?.trim();
    // Without its key, authentication would be off.
    if (path === '' && name === 'JWT_PUBLIC_KEY') throw new ConfigError(`${name}_FILE is set, but empty`);
    if (!path) return [];
    if (variables[name]?.trim()) throw new ConfigError(`${name} and ${name}_FILE cannot be used together`);
    return [[name, contentOf(`${name}_FILE`, path)] as const];
  });
  return { ...variables, ...Object.fromEntries(secrets) };
}

function contentOf(name: string, path: string): string {
  let content: string;
  try {
    content = readFileSync(path, 'utf8').trim();
  } catch {
    throw new ConfigError(`${name} must be a file that can be read, is ${quote(path)}`);
  }
  // A secret that was not filled in must not turn into an embedded database, or into a service without keys.
  if (content === '') throw new ConfigError(`${name} is an empty file: ${quote(path)}`);
  return content;
}
