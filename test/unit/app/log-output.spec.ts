import fs, { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logOutput } from '../../../src/app/log-output';
import { until } from '../../support/poll';

describe('the output of the log', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dossier-log-'));
  const path = join(folder, 'log');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  afterEach(() => jest.restoreAllMocks());

  const written = () => readFileSync(path, 'utf8');

  it('keeps what a full disk did not take, says so once, and goes on when there is space again', async () => {
    const fd = openSync(path, 'w');
    const failures: string[] = [];
    const output = logOutput(fd, ({ message }) => failures.push(message));
    let tries = 0;
    const full = jest.spyOn(fs, 'write').mockImplementation((...args: unknown[]) => {
      const done = args.at(-1) as (error: Error) => void;
      setImmediate(() => {
        done(Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
        tries += 1;
      });
    });
    output.write('first\n');
    await until('it has failed', () => tries === 1);
    output.write('second\n');
    await until('it was tried again', () => tries === 2);
    expect(failures).toEqual(['no space left']);

    full.mockRestore();
    output.write('third\n');
    await until('all is written', () => written() === 'first\nsecond\nthird\n');
    closeSync(fd);
  });

  it('drops lines when many wait', async () => {
    const fd = openSync(path, 'w');
    const output = logOutput(fd);
    let done: (() => void) | undefined;
    const slow = jest.spyOn(fs, 'write').mockImplementation((...args: unknown[]) => {
      const callback = args.at(-1) as (error: null, bytes: number) => void;
      done = () => callback(null, Buffer.byteLength(args[1] as string));
    });
    const line = `${'x'.repeat(64 * 1024 - 1)}\n`;
    for (let i = 0; i < 100; i++) output.write(line);
    slow.mockRestore();
    done?.();
    output.write('the last\n');
    await until('what waited is written', () => written().endsWith('the last\n'));
    expect(written().length).toBeLessThan(5 * 1024 * 1024);
    closeSync(fd);
  });
});
