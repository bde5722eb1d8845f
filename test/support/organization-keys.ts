import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface OrganizationKeys {
  readonly path: string;
  remove(): void;
}

/** The header of an administrator of the organisation. */
export function keyOf(organization: string): { readonly 'x-api-key': string } {
  return { 'x-api-key': `key of ${organization}` };
}

/** A key file with one administrator for each organisation. */
export function writeOrganizationKeys(...organizations: string[]): OrganizationKeys {
  const folder = mkdtempSync(join(tmpdir(), 'dossier-keys-'));
  const path = join(folder, 'keys.json');
  const entries = organizations.map((organization) => {
    const sha256 = createHash('sha256').update(keyOf(organization)['x-api-key']).digest('hex');
    return { id: organization, name: 'tester', organization, role: 'admin', sha256 };
  });
  writeFileSync(path, JSON.stringify(entries));
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
