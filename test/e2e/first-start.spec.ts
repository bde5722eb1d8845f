import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../support/poll';
import { runProgram, startService } from '../support/service';
import { spawnMortal } from '../support/spawn-mortal';

const ROOT = join(__dirname, '../..');
const EMBEDDED = { DATA_DIR: 'memory', PORT: '0' };
const START_TIMEOUT_MS = 60_000;

describe('the command line of the service', () => {
  it.each([['--help'], ['-h'], ['help']])('%s prints the usage, and nothing is started', async (arg) => {
    const { code, stdout, stderr } = await runProgram('dist/main.js', [arg], EMBEDDED);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^usage: node dist\/main\.js\n/);
    expect(stdout).not.toContain('listening');
  });

  it('the usage names only variables that docs/configuration.md describes', async () => {
    const { stdout } = await runProgram('dist/main.js', ['--help'], EMBEDDED);
    const variables = [...stdout.matchAll(/^ {2}([A-Z_]+) /gm)].map(([, name]) => name);
    expect(variables.length).toBeGreaterThan(5);
    const page = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8');
    expect(variables.filter((name) => !page.includes(`| \`${name}\` |`))).toEqual([]);
  });

  it.each([['--port=3000'], ['serve']])('the unknown argument %s is refused in one line', async (arg) => {
    const { code, stdout, stderr } = await runProgram('dist/main.js', [arg], EMBEDDED);
    expect(code).toBeGreaterThan(0);
    expect([stdout, stderr.split('\n')]).toEqual(['', [expect.stringContaining(arg), '']]);
  });

  it('a LOG_FORMAT that does not exist is refused in one line', async () => {
    const { code, stderr } = await runProgram('dist/main.js', [], { ...EMBEDDED, LOG_FORMAT: 'xml' });
    expect(code).toBeGreaterThan(0);
    expect(stderr.split('\n')).toEqual([expect.stringContaining('LOG_FORMAT'), '']);
  });

  it('a clock that is decades ahead is refused in one line', async () => {
    const NODE_OPTIONS = `--require ${join(ROOT, 'test/faults/shifted-clock.js')}`;
    const CLOCK_AHEAD_MS = String(75 * 365 * 86_400_000);
    const { code, stderr } = await runProgram('dist/main.js', [], { ...EMBEDDED, CLOCK_AHEAD_MS, NODE_OPTIONS });
    expect(code).toBeGreaterThan(0);
    expect(stderr.split('\n')).toEqual([
      'dossier: the clock of this machine is decades ahead: it gives no version below 2^53',
      '',
    ]);
  });
});

describe('the built service', () => {
  it('is one file, so that a start does not have to find and read the files of all packages', async () => {
    const NODE_OPTIONS = `--require ${join(ROOT, 'test/support/count-modules.js')}`;
    const { stdout } = await runProgram('dist/main.js', [], { ...EMBEDDED, LOG_FORMAT: 'xml', NODE_OPTIONS });
    const [, modules] = /^(\d+) modules$/m.exec(stdout) ?? [];
    expect(Number(modules)).toBeGreaterThan(1);
    expect(Number(modules)).toBeLessThan(100);
  });
});

describe('what a start prints', () => {
  it('elsewhere than on a terminal is JSON: the setup, and none of the lines of Nest', async () => {
    const service = await startService(EMBEDDED);
    try {
      const lines = service.logLines.map((line) => JSON.parse(line) as { msg: string; context: string });
      expect(lines.map(({ msg }) => msg)).toEqual(
        expect.arrayContaining([
          expect.stringMatching(/^PostgreSQL: embedded/),
          expect.stringMatching(/^Redis: /),
          expect.stringMatching(/^NATS: /),
          `listening on ${service.url}`,
        ]),
      );
      expect(lines.filter(({ context }) => !['main', 'auth', 'postgres'].includes(context))).toEqual([]);
    } finally {
      await service.kill();
    }
  });

  it('on a terminal is a few readable lines', async () => {
    const output = await untilListeningOnTerminal({});
    const lines = output.replaceAll('\r', '').split('\n');
    for (const part of ['PostgreSQL: embedded', 'Redis: ', 'NATS: ', 'authentication is off', 'listening on http://']) {
      expect(lines).toContainEqual(expect.stringMatching(RegExp(`^\\d\\d:\\d\\d:\\d\\d (info|warn) .*${part}`)));
    }
    expect(lines.length).toBeLessThan(15);
    expect(output).not.toMatch(/[{}]/);
  });

  it('on a terminal is JSON if LOG_FORMAT says so', async () => {
    expect(await untilListeningOnTerminal({ LOG_FORMAT: 'json' })).toMatch(/^\{"level":30,/);
  });
});

/** `script` gives a program a terminal. */
async function untilListeningOnTerminal(env: Record<string, string>): Promise<string> {
  const program = [process.execPath, join(ROOT, 'dist/main.js')];
  const args =
    process.platform === 'darwin' ? ['-q', '/dev/null', ...program] : ['-qec', program.join(' '), '/dev/null'];
  const child = spawnMortal('script', args, {
    env: { PATH: process.env['PATH'] ?? '', ...EMBEDDED, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  try {
    await until('it listens', () => output.includes('listening on') && output.endsWith('\n'), START_TIMEOUT_MS);
    return output;
  } finally {
    child.kill('SIGTERM');
  }
}
