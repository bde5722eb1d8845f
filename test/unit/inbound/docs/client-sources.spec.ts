import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { clientSources } from '../../../../src/inbound/docs/client-sources';

const CLIENT = join(__dirname, '../../../../client');

const packageIn = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;

describe('the sources of the client', () => {
  it('are what the description says now: npm run docs:api writes them', () => {
    const folder = join(CLIENT, 'src/generated');
    const written = readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')]);
    expect(Object.fromEntries(written)).toEqual(clientSources());
  });

  it('need nothing besides themselves: they run in browsers, too', () => {
    const files = readdirSync(join(CLIENT, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
      /ts$/.test(file),
    );
    const imported = files.flatMap((file) => {
      const text = readFileSync(join(CLIENT, 'src', file), 'utf8');
      return [...text.matchAll(/from '([^']+)'|import\('([^']+)'\)/g)].map(([, name, lazy]) => name ?? lazy);
    });
    expect(imported.length).toBeGreaterThan(10);
    expect(imported.filter((name) => !/^\.\.?\//.test(name ?? ''))).toEqual([]);
    expect(packageIn(CLIENT)).not.toHaveProperty('dependencies');
  });

  it('have the version of the service whose description they are made from', () => {
    expect(packageIn(CLIENT)['version']).toBe(packageIn(join(CLIENT, '..'))['version']);
  });
});
