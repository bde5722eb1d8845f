import { API_KEYS, ApiKeys } from '../../../../src/inbound/auth/api-keys';
import { KeyFileError, parseKeys, sha256 } from '../../../../src/inbound/auth/key-file';
import { OPERATOR_KEYS, OperatorKeys } from '../../../../src/inbound/auth/operator-keys';

const hashOf = (key: string) => sha256(key).toString('hex');
const entry = (key: string, more: object = {}) => {
  return { id: `id-${key}`, name: 'alice', organization: 'acme', role: 'write', sha256: hashOf(key), ...more };
};
const credentialOf = (key: string) => {
  return { id: `key:id-${key}`, caller: { organization: 'acme', name: 'alice' }, role: 'write' };
};

const textOf = (content: unknown) => (typeof content === 'string' ? content : JSON.stringify(content));
const open = (content: unknown) => new ApiKeys(() => parseKeys(textOf(content), API_KEYS));

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
      parseKeys(textOf(content), API_KEYS);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(KeyFileError);
    expect((refusal as Error).message).toMatch(message);
    expect((refusal as Error).message).not.toContain('secret-key');
  });
});

describe('the keys of operators', () => {
  it('name an operator, and belong to no organisation', () => {
    const { id, name, sha256: hash } = entry('k');
    const keys = new OperatorKeys(() => parseKeys(textOf([{ id, name, sha256: hash }]), OPERATOR_KEYS));
    expect([keys.find('k'), keys.find('other')]).toEqual([{ id, name }, undefined]);
  });

  it('are not those of callers', () => {
    const text = textOf([entry('k')]);
    expect(() => parseKeys(text, OPERATOR_KEYS)).toThrow('entry 1: must have no members but id, name, sha256');
  });
});
