import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appendKey } from '../../../src/commands/append-key';
import { API_KEYS } from '../../../src/inbound/auth/api-keys';
import { parseKeys } from '../../../src/inbound/auth/key-file';

const entryOf = (id: string) => ({ id, name: id, organization: 'o', role: 'read', sha256: id.padEnd(64, 'a') });

describe('dossier keys create --append', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dossier-append-'));
    path = join(folder, 'keys.json');
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const idsIn = (file: string) => parseKeys(readFileSync(file, 'utf8'), API_KEYS).map(({ holder }) => holder.id);

  it('creates the file, which only its owner may read, and adds to it', () => {
    appendKey(path, entryOf('1'));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    appendKey(path, entryOf('2'));
    expect(idsIn(path)).toEqual(['key:1', 'key:2']);
    expect(readdirSync(folder)).toEqual(['keys.json']);
  });

  it('leaves the mode of the file and a link to it as they are', () => {
    writeFileSync(path, '[]');
    chmodSync(path, 0o640);
    const link = join(folder, 'link.json');
    symlinkSync(path, link);
    appendKey(link, entryOf('1'));
    expect(idsIn(path)).toEqual(['key:1']);
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readFileSync(link, 'utf8')).toBe(readFileSync(path, 'utf8'));
  });

  it.each(['', '{}', '[{"key":"secret"}]', '[null]'])('leaves a file that holds something else alone: %p', (text) => {
    writeFileSync(path, text);
    expect(() => appendKey(path, entryOf('1'))).toThrow(path);
    expect([readFileSync(path, 'utf8'), readdirSync(folder)]).toEqual([text, ['keys.json']]);
  });

  it.each([[undefined], ['[]']])('leaves the file as it was if the key cannot be shown: %p', (text) => {
    if (text !== undefined) writeFileSync(path, text);
    const show = () => {
      throw new Error('nobody sees it');
    };
    expect(() => appendKey(path, entryOf('1'), API_KEYS, show)).toThrow('nobody sees it');
    expect(readdirSync(folder)).toEqual(text === undefined ? [] : ['keys.json']);
    if (text !== undefined) expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('does nothing while another command is at work', () => {
    writeFileSync(`${path}.new`, 'half');
    expect(() => appendKey(path, entryOf('1'))).toThrow('another command is adding a key');
    expect(readdirSync(folder)).toEqual(['keys.json.new']);
  });
});
