import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadOperatorConfig, loadRemoteConfig } from '../../../src/app/config';

describe('the settings of commands that call a service', () => {
  it('have an address by default, and the option goes before the variable', () => {
    expect(loadRemoteConfig(undefined, {})).toEqual({ url: 'http://127.0.0.1:3000', headers: {} });
    const variables = { DOSSIER_URL: 'https://a.example/dossier/' };
    expect(loadRemoteConfig(undefined, variables).url).toBe('https://a.example/dossier');
    expect(loadRemoteConfig('http://b.example', variables).url).toBe('http://b.example');
  });

  it('take the credential from a variable or a file, as the bytes of UTF-8', () => {
    expect(loadRemoteConfig(undefined, { DOSSIER_API_KEY: 'é' }).headers).toEqual({ 'x-api-key': 'Ã©' });
    const folder = mkdtempSync(join(tmpdir(), 'dossier-remote-'));
    try {
      writeFileSync(join(folder, 'token'), 'a.b.c\n');
      const { headers } = loadRemoteConfig(undefined, { DOSSIER_TOKEN_FILE: join(folder, 'token') });
      expect(headers).toEqual({ authorization: 'Bearer a.b.c' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([
    [undefined, { DOSSIER_API_KEY: ' ' }, 'DOSSIER_API_KEY is set, but empty'],
    [undefined, { DOSSIER_API_KEY: 'a', DOSSIER_TOKEN: 'b' }, 'cannot be used together'],
    [undefined, { DOSSIER_API_KEY_FILE: '/no/such/file' }, 'DOSSIER_API_KEY_FILE must be a file'],
    [undefined, { DOSSIER_URL: 'localhost:3000' }, 'DOSSIER_URL must be a URL'],
    ['ftp://a.example', {}, 'the address of the service must be a URL'],
    ['localhost:3000', {}, 'the address of the service must be a URL'],
  ])('that cannot be used are refused: %p %p', (url, variables, message) => {
    expect(() => loadRemoteConfig(url, variables)).toThrow(message);
  });

  it('never show a credential in a message', () => {
    const secret = 'a\nsecret';
    expect(() => loadRemoteConfig(undefined, { DOSSIER_API_KEY: secret })).toThrow(/^(?![^]*secret)[^]*one line/);
  });

  it.each(['http://u:secret@a.example', 'http://secret@a.example', 'ftp://u:secret@a.example', 'http://u:secret@:x'])(
    'refuse a credential in the address, and do not show it: %s',
    (url) => {
      const refusal = /^(?![^]*secret).*the address of the service must|^(?![^]*secret).*DOSSIER_URL must/;
      expect(() => loadRemoteConfig(url, {})).toThrow(refusal);
      expect(() => loadRemoteConfig(undefined, { DOSSIER_URL: url })).toThrow(refusal);
    },
  );
});

describe('where an operator finds a replica', () => {
  it('is where callers do, with a key of its own, which nothing else sends', () => {
    const variables = { DOSSIER_URL: 'https://a.example/', DOSSIER_OPERATOR_KEY: 'o', DOSSIER_API_KEY: 'c' };
    expect(loadOperatorConfig(undefined, variables)).toEqual({
      url: 'https://a.example',
      headers: { 'x-operator-key': 'o' },
    });
    expect(loadRemoteConfig(undefined, variables).headers).toEqual({ 'x-api-key': 'c' });
  });

  it.each([{}, { DOSSIER_OPERATOR_KEY: ' ' }, { DOSSIER_API_KEY: 'c' }])(
    'is not asked without one: %j',
    (variables) => {
      expect(() => loadOperatorConfig(undefined, variables)).toThrow(/^DOSSIER_OPERATOR_KEY is /);
    },
  );
});
