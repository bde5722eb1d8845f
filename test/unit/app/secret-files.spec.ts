import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../src/app/config';
import { ConfigError } from '../../../src/app/environment';

describe('secrets in files', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dossier-secrets-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const file = (content: string) => {
    const path = join(folder, 'secret');
    writeFileSync(path, content);
    return path;
  };

  it.each([
    ['DATABASE_URL', 'postgres://u:s3cret@db/x', 'store'],
    ['REDIS_URL', 'redis://u:s3cret@cache', 'redis'],
    ['NATS_URL', 'nats://u:s3cret@nats', 'nats'],
  ] as const)('%s may be in a file, with a line break at its end', (name, url, member) => {
    const config = loadConfig({ [`${name}_FILE`]: file(`${url}\n`) });
    expect(config[member]).toMatchObject({ url });
    expect(config.warnings).toEqual([]);
  });

  it('a token, or a password, for NATS may be in a file', () => {
    const NATS_URL = 'nats://nats:4222';
    const withToken = loadConfig({ NATS_URL, NATS_TOKEN_FILE: file('s3cret') });
    expect(withToken.nats).toEqual(loadConfig({ NATS_URL, NATS_TOKEN: 's3cret' }).nats);
    const withPassword = loadConfig({ NATS_URL, NATS_USER: 'u', NATS_PASSWORD_FILE: file('s3cret') });
    expect(withPassword.nats).toEqual(loadConfig({ NATS_URL, NATS_USER: 'u', NATS_PASSWORD: 's3cret' }).nats);
  });

  it('a database that is named in a file counts as set in production', () => {
    const DATABASE_URL_FILE = file('postgres://u:s3cret@db/x');
    expect(loadConfig({ NODE_ENV: 'production', DATABASE_URL_FILE }).store.kind).toBe('postgres');
  });

  it('the public key of access tokens may be in a file', () => {
    const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
    expect(loadConfig({ JWT_PUBLIC_KEY_FILE: file(pem), HOST: '0.0.0.0' }).accessTokens).toBeDefined();
  });

  it('what is in a file is checked as the variable is, and is not repeated', () => {
    const load = () => loadConfig({ DATABASE_URL_FILE: file('mysql://u:s3cret@db/x') });
    expect(load).toThrow(ConfigError);
    expect(load).toThrow(/^DATABASE_URL ((?!s3cret)[^\n])+$/);
  });

  it('a file that is missing or empty, or a second value, ends the start in one line that names the variable', () => {
    const refused = [
      { DATABASE_URL_FILE: join(folder, 'missing') },
      { DATABASE_URL_FILE: folder },
      { DATABASE_URL_FILE: file(' \n') },
      { DATABASE_URL_FILE: __filename, DATABASE_URL: 'postgres://u:s3cret@db/x' },
    ];
    for (const variables of refused) {
      expect(() => loadConfig(variables)).toThrow(ConfigError);
      expect(() => loadConfig(variables)).toThrow(/^((?!s3cret)[^\n])*DATABASE_URL_FILE((?!s3cret)[^\n])+$/);
    }
    expect(() => loadConfig({ JWT_PUBLIC_KEY_FILE: '' })).toThrow(/^JWT_PUBLIC_KEY_FILE is set, but empty$/);
  });

  it('the name of a file may be empty if the variable may be unset, and a misspelt one is noticed', () => {
    expect(loadConfig({ REDIS_URL_FILE: ' ' })).toMatchObject({ redis: undefined, warnings: [] });
    expect(loadConfig({ DATABASE_URI_FILE: 'x' }).warnings).toEqual([
      expect.stringContaining('did you mean DATABASE_URL_FILE?'),
    ]);
  });
});
