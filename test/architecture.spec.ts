import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}

interface CruiseResult {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: { readonly violations: readonly Violation[] };
}

const root = join(__dirname, '..');
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => join('src', file));

/** The folders of `src` down to the second level, as the code map of ARCHITECTURE.md shows them. */
function mappedFolders(): string[] {
  const map = /```\nsrc\/\n([^]*?)^migrations\//m.exec(readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8'))?.[1] ?? '';
  const path: string[] = [];
  return map.split('\n').flatMap((line) => {
    const [, indent = '', name = ''] = /^((?:│ {2}| {3})*)[├└]─ ([\w-]+)\/ /.exec(line) ?? [];
    if (name === '' || indent.length > 3) return [];
    path.splice(indent.length / 3, Infinity, name);
    return [path.join('/')];
  });
}

function cruise(cwd: string): CruiseResult {
  const program = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = [program, 'src', '--config', '.dependency-cruiser.cjs', '--output-type', 'json', '--no-progress'];
  try {
    return JSON.parse(execFileSync('node', args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 28 })) as CruiseResult;
  } catch (error) {
    // It exits with the number of violations; the report is on its standard output all the same.
    return JSON.parse((error as { stdout: string }).stdout) as CruiseResult;
  }
}

describe('architecture', () => {
  const result = cruise(root);

  it('scans every source file', () => {
    const scanned = new Set(result.modules.map(({ source }) => source));
    expect(sources.length).toBeGreaterThan(30);
    expect(sources.filter((file) => !scanned.has(file))).toEqual([]);
  });

  it('allows imports in one direction only', () => {
    expect(result.summary.violations.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
  });

  it('refuses imports that go any other way', () => {
    const copy = mkdtempSync(join(tmpdir(), 'dossier-architecture-'));
    try {
      for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json']) {
        cpSync(join(root, file), join(copy, file));
      }
      symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
      const write = (file: string, imported: string) => {
        mkdirSync(dirname(join(copy, file)), { recursive: true });
        writeFileSync(join(copy, file), `export * from '${imported}';\n`);
      };
      write('src/core/domain/to-nest.ts', '@nestjs/common');
      write('src/core/domain/to-port.ts', '../ports/clock');
      write('src/core/ports/clock.ts', '../domain/nothing-wrong');
      write('src/core/domain/nothing-wrong.ts', './nothing-wrong-either');
      for (const file of ['src/core/domain/nothing-wrong-either.ts', 'src/app/nothing-wrong.ts']) {
        mkdirSync(dirname(join(copy, file)), { recursive: true });
        writeFileSync(join(copy, file), 'export const nothing = 1;\n');
      }
      write('src/core/use-cases/tasks/to-file-system.ts', 'node:fs');
      write('src/core/consistency/to-use-case.ts', '../use-cases/tasks/to-file-system');
      write('src/inbound/auth/to-neighbour.ts', '../methods/to-outbound');
      write('src/app/to-command.ts', '../commands/to-app');
      write('src/commands/to-app.ts', '../app/nothing-wrong');
      write('src/main.ts', './core/domain/nothing-wrong');
      write('src/inbound/methods/to-outbound.ts', '../../outbound/redis/connection');
      write('src/outbound/redis/connection.ts', 'node:net');
      write('src/outbound/memory/to-sibling.ts', '../redis/connection');
      write('src/outbound/redis/to-inbound.ts', '../../inbound/methods/to-outbound');
      write('src/outbound/redis/to-telemetry-packages.ts', '@opentelemetry/api');
      write('src/outbound/telemetry/tracer.ts', 'node:net');
      write('src/app/to-telemetry-at-every-start.ts', '../outbound/telemetry/tracer');

      const { violations } = cruise(copy).summary;
      const refused = [...new Set(violations.map(({ from }) => from))];
      expect(refused.sort()).toEqual([
        'src/app/to-command.ts',
        'src/app/to-telemetry-at-every-start.ts',
        'src/core/consistency/to-use-case.ts',
        'src/core/domain/to-nest.ts',
        'src/core/domain/to-port.ts',
        'src/core/use-cases/tasks/to-file-system.ts',
        'src/inbound/auth/to-neighbour.ts',
        'src/inbound/methods/to-outbound.ts',
        'src/main.ts',
        'src/outbound/memory/to-sibling.ts',
        'src/outbound/redis/to-inbound.ts',
        'src/outbound/redis/to-telemetry-packages.ts',
      ]);
      const byRule = (rule: string) => violations.filter((one) => one.rule.name === rule).map(({ from }) => from);
      expect(byRule('opentelemetry-in-its-room-only')).toEqual(['src/outbound/redis/to-telemetry-packages.ts']);
      expect(byRule('opentelemetry-only-if-asked-for')).toEqual(['src/app/to-telemetry-at-every-start.ts']);
    } finally {
      rmSync(copy, { recursive: true });
    }
  });

  it('is what the code map of ARCHITECTURE.md shows', () => {
    const folders = new Set(sources.map((file) => dirname(file).split('/').slice(1, 3).join('/')));
    for (const folder of [...folders]) folders.add(dirname(folder));
    const existing = [...folders].filter((folder) => !['', '.'].includes(folder));
    expect(mappedFolders().sort()).toEqual(existing.sort());
  });

  it('reads the environment in one place', () => {
    const readers = sources.filter((file) => readFileSync(join(root, file), 'utf8').includes('process.env'));
    expect(readers).toEqual(['src/app/config.ts']);
  });

  it('keeps time and chance out of the core', () => {
    const core = sources.filter((file) => file.startsWith('src/core/'));
    const forbidden = /Date\.now|new Date\(\)|Math\.random|randomUUID|set(Timeout|Immediate|Interval)\(/;
    const impure = core.filter((file) => forbidden.test(readFileSync(join(root, file), 'utf8')));
    expect(impure).toEqual([]);
  });
});
