import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../src/app/config';
import { openAuthenticator, openOperatorKeys } from '../../../src/app/open-authenticator';
import { openQuotas } from '../../../src/app/open-quotas';
import { RereadFile } from '../../../src/app/reread-file';

const FORMAT = {
  variable: 'NUMBERS_FILE',
  kind: 'keys',
  parse(text: string): readonly number[] {
    if (!text.startsWith('[') || !text.endsWith(']')) throw new Error('must be an array');
    return JSON.parse(text) as number[];
  },
  describe: (numbers: readonly number[]) => `${numbers.length} numbers`,
} as const;

let folder: string;
let path: string;
let logged: string[];
const note = (message: string) => void logged.push(message);
const logger = { log: note, warn: note, error: note };

beforeEach(() => {
  logged = [];
  folder = mkdtempSync(join(tmpdir(), 'dossier-file-'));
  path = join(folder, 'numbers.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (text: string) => writeFileSync(path, text);
function open(text: string, read?: (path: string) => Promise<string>) {
  write(text);
  return new RereadFile(path, FORMAT, logger, read);
}

it('a changed file takes effect, even with the same size and time', async () => {
  const file = open('[1]');
  expect(file.content).toEqual([1]);
  write('[2]');
  await file.reread();
  expect(file.content).toEqual([2]);
  expect(logged).toEqual(['NUMBERS_FILE has changed: 1 numbers']);
  await file.reread();
  expect(logged).toHaveLength(1);
});

it('a pipe in the place of the file is not waited for', async () => {
  const file = open('[1]');
  rmSync(path);
  execFileSync('mkfifo', [path]);
  await file.reread();
  expect(logged).toEqual([expect.stringMatching(/: the keys read before stay valid$/)]);
  rmSync(path);
  write('[2]');
  await file.reread();
  expect(file.content).toEqual([2]);
});

it('what was read stays valid while the file is broken or missing, and the log says so once', async () => {
  const file = open('[1]');
  for (const breakFile of [() => write('[secret'), () => rmSync(path)]) {
    logged.length = 0;
    breakFile();
    await file.reread();
    await file.reread();
    expect(file.content).toEqual([1]);
    expect(logged).toEqual([expect.stringMatching(/^NUMBERS_FILE .*: the keys read before stay valid$/)]);
    expect(logged[0]).not.toContain('secret');
  }
  write('[2]');
  await file.reread();
  expect(file.content).toEqual([2]);
});

it('a change takes effect even if connections have used up all descriptors', async () => {
  const outOfDescriptors = Object.assign(new Error('EMFILE'), { code: 'EMFILE' });
  const file = open('[1]', () => Promise.reject(outOfDescriptors));
  for (const text of ['[2]', '[3]']) {
    write(text);
    await file.reread();
    expect(JSON.stringify(file.content)).toBe(text);
  }
  expect(logged.filter((line) => line.includes('stay valid'))).toEqual([]);
});

it('the file is read again within ten seconds', async () => {
  jest.useFakeTimers();
  try {
    const file = open('[1]');
    const reread = jest.spyOn(file, 'reread');
    file.watch();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(reread).toHaveBeenCalled();
  } finally {
    jest.useRealTimers();
  }
});

describe('a start is refused in one line that names the variable', () => {
  const config = () => loadConfig({ API_KEYS_FILE: path, OPERATOR_KEYS_FILE: path });

  it.each([
    ['API_KEYS_FILE', () => openAuthenticator(config())],
    ['OPERATOR_KEYS_FILE', () => openOperatorKeys(config())],
    ['QUOTAS_FILE', () => openQuotas({ quotasFile: path })],
  ])('if %s names a broken file', (variable, openIt) => {
    write('{');
    expect(openIt).toThrow(new RegExp(`^${variable} is not JSON`));
  });

  it('if it names a file that is not there', () => {
    expect(() => openQuotas({ quotasFile: path })).toThrow('QUOTAS_FILE cannot be read (ENOENT)');
    expect(openQuotas({}).of('acme')).toEqual({});
  });
});
