import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiKeys } from '../../../../src/inbound/auth/api-keys';
import { KeyFileError, sha256 } from '../../../../src/inbound/auth/key-file';
import { OperatorKeys } from '../../../../src/inbound/auth/operator-keys';

const hashOf = (key: string) => sha256(key).toString('hex');
const entry = (key: string, more: object = {}) => {
  return { id: `id-${key}`, name: 'alice', organization: 'acme', role: 'write', sha256: hashOf(key), ...more };
};
const credentialOf = (key: string) => {
  return { id: `key:id-${key}`, caller: { organization: 'acme', name: 'alice' }, role: 'write' };
};

let folder: string;
let path: string;
const logged: string[] = [];
const logger = {
  log: (message: string) => logged.push(message),
  warn: (message: string) => logged.push(message),
  error: (message: string) => logged.push(message),
};

beforeEach(() => {
  logged.length = 0;
  folder = mkdtempSync(join(tmpdir(), 'dossier-keys-'));
  path = join(folder, 'keys.json');
});

afterEach(() => rmSync(folder, { recursive: true }));

function write(content: unknown): void {
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
}

function open(content: unknown): ApiKeys {
  write(content);
  return ApiKeys.open(path, logger);
}

describe('the keys of a file', () => {
  it('a key is found by its hash, even if another key has the same name', () => {
    const keys = open([entry('old'), entry('new', { role: 'admin' })]);
    expect(keys.find('old')).toEqual(credentialOf('old'));
    expect(keys.find('new')).toEqual({ ...credentialOf('new'), role: 'admin' });
    expect(keys.find('other')).toBeUndefined();
    expect(keys.find('')).toBeUndefined();
    expect(keys.find(hashOf('old'))).toBeUndefined();
  });

  it('every key is refused if the file has none', () => {
    expect(open([]).find('any')).toBeUndefined();
  });

  it.each([
    ['text that is not JSON', 'secret-key', /^is not JSON$/],
    ['an object', { keys: [] }, /array/],
    ['an entry that is none', [null], /^entry 1: must be an object$/],
    ['no id', [entry('k'), entry('l', { id: '' })], /^entry 2: id /],
    ['a name with a line break', [entry('k', { name: 'a\nb' })], /^entry 1: name /],
    ['no organization', [entry('k', { organization: undefined })], /^entry 1: organization /],
    ['an unknown role', [entry('k', { role: 'root' })], /^entry 1: role must be one of read, write, admin$/],
    ['a blank organisation', [entry('k', { organization: ' \u00a0' })], /^entry 1: organization /],
    ['the hash of the empty string', [entry('')], /^entry 1: sha256 /],
    ['a hash in upper case', [entry('k', { sha256: hashOf('k').toUpperCase() })], /^entry 1: sha256 /],
    ['a key in the place of its hash', [entry('k', { sha256: 'secret-key' })], /^entry 1: sha256 /],
    ['a key beside its hash', [entry('k', { key: 'secret-key' })], /^entry 1: must have no members but /],
    ['two entries with one id', [entry('k'), entry('l', { id: 'id-k' })], /two entries with the same id/],
    ['two entries with one key', [entry('k'), entry('k', { id: 'other' })], /two entries with the same sha256/],
  ])('a file is refused for %s, and the message quotes nothing of it', (_name, content, message) => {
    let refusal: unknown;
    try {
      open(content);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(KeyFileError);
    expect((refusal as Error).message).toMatch(message);
    expect((refusal as Error).message).not.toContain('secret-key');
  });

  it('a missing file is refused', () => {
    expect(() => ApiKeys.open(path, logger)).toThrow(new KeyFileError('cannot be read (ENOENT)'));
  });

  it('a changed file takes effect, even with the same size and time', async () => {
    const keys = open([entry('aaa')]);
    write([entry('bbb')]);
    await keys.reread();
    expect([keys.find('aaa'), keys.find('bbb')]).toEqual([undefined, credentialOf('bbb')]);
    expect(logged).toEqual(['API_KEYS_FILE has changed: 1 keys are valid']);
    await keys.reread();
    expect(logged).toHaveLength(1);
  });

  it('the old keys stay valid while the file is broken or missing, and the log says so once', async () => {
    const keys = open([entry('aaa')]);
    for (const breakFile of [() => write('[{"sha256":"secret-key"'), () => rmSync(path)]) {
      logged.length = 0;
      breakFile();
      await keys.reread();
      await keys.reread();
      expect(keys.find('aaa')).toEqual(credentialOf('aaa'));
      expect(logged).toEqual([expect.stringMatching(/^API_KEYS_FILE .*: the keys read before stay valid$/)]);
      expect(logged[0]).not.toContain('secret-key');
    }
    write([entry('bbb')]);
    await keys.reread();
    expect([keys.find('aaa'), keys.find('bbb')]).toEqual([undefined, credentialOf('bbb')]);
  });

  it('a removed key is refused even if connections have used up all descriptors', async () => {
    write([entry('removed')]);
    const outOfDescriptors = Object.assign(new Error('EMFILE'), { code: 'EMFILE' });
    const keys = ApiKeys.open(path, logger, () => Promise.reject(outOfDescriptors));
    for (const key of ['kept', 'newer']) {
      write([entry(key)]);
      await keys.reread();
      expect(keys.find('removed')).toBeUndefined();
      expect(keys.find(key)).toEqual(credentialOf(key));
    }
    expect(logged.filter((line) => line.includes('stay valid'))).toEqual([]);
  });

  it('the file is read again within ten seconds', async () => {
    jest.useFakeTimers();
    try {
      const keys = open([entry('aaa')]);
      const reread = jest.spyOn(keys, 'reread');
      keys.watch();
      await jest.advanceTimersByTimeAsync(10_000);
      expect(reread).toHaveBeenCalled();
    } finally {
      jest.useRealTimers();
    }
  });
});

describe('the keys of operators', () => {
  it('name an operator, and belong to no organisation', () => {
    const { id, name, sha256: hash } = entry('k');
    write([{ id, name, sha256: hash }]);
    const keys = OperatorKeys.open(path, logger);
    expect([keys.find('k'), keys.find('other')]).toEqual([{ id, name }, undefined]);
  });

  it('are not those of callers', () => {
    write([entry('k')]);
    expect(() => OperatorKeys.open(path, logger)).toThrow('entry 1: must have no members but id, name, sha256');
  });
});
