import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** As they are in the code: in `violate('list', …)`, in `rule: 'G2'`, or alone if one of several is chosen. */
const NAMES = /(?:violate\(\s*|\brule: )'([^']+)'|'(G\d)'/g;

describe('the rules of the simulation', () => {
  it('are those that the README explains', () => {
    const files = readdirSync(__dirname).filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'));
    const code = files.map((file) => readFileSync(join(__dirname, file), 'utf8')).join('\n');
    const checked = new Set([...code.matchAll(NAMES)].map(([, name, chosen]) => name ?? chosen));

    const readme = readFileSync(join(__dirname, 'README.md'), 'utf8');
    const section = /^## What is checked\n(.*?)^## /ms.exec(readme)?.[1] ?? '';
    const rows = [...section.matchAll(/^\| (.+?) \|/gm)].map(([, name]) => name);
    const explained = rows.filter((name) => name !== 'name' && name !== '---');

    expect(explained.sort()).toEqual([...checked].sort());
    expect(checked.size).toBeGreaterThan(15);
  });
});
