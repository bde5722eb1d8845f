import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import type { Environment } from '../support/service';

export const ORGANIZATIONS = ['acme', 'globex', 'initech'] as const;
/** Its callers have tokens, each with a name of its own: the checker tells deletions apart by the names of their callers. */
export const CHECKED_ORGANIZATION = 'checked';
const ROLES = ['read', 'write', 'admin'] as const;
/** Tokens are made anew long before. */
const TOKEN_LIFETIME = '1h';
const TOKEN_USED_FOR_MS = 10 * 60 * 1000;
const UNNAMED = 'checker';

export type Role = (typeof ROLES)[number];

/** The keys of organisations in a file that changes while replicas read it, and tokens. */
export class Credentials {
  private readonly folder = mkdtempSync(join(tmpdir(), 'dossier-soak-'));
  private readonly keyPair = generateKeyPairSync('ed25519');
  /** Callers use the keys of this one. */
  private generation = 1;
  private unnamed?: { readonly token: Promise<string>; readonly madeAtMs: number };

  constructor() {
    this.write(this.generation);
  }

  /** Of the settings of a replica. */
  get environment(): Environment {
    const publicKey = this.keyPair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    return { API_KEYS_FILE: this.path, JWT_PUBLIC_KEY: publicKey };
  }

  keyOf(organization: string, role: Role, generation = this.generation): Environment {
    return { 'x-api-key': keyText(organization, role, generation) };
  }

  /** Of an administrator of the checked organisation. */
  async tokenOf(name: string | undefined): Promise<Environment> {
    return { authorization: `Bearer ${await (name === undefined ? this.unnamedToken() : this.sign(name))}` };
  }

  /** The next keys become valid beside the present ones. */
  addNextKeys(): void {
    this.write(this.generation, this.generation + 1);
  }

  /** From now on callers use the next keys. */
  useNextKeys(): void {
    this.generation++;
  }

  /** The keys that callers used before are valid no more. */
  dropFormerKeys(): void {
    this.write(this.generation);
  }

  formerKeyOf(organization: string, role: Role): Environment {
    return this.keyOf(organization, role, this.generation - 1);
  }

  nextKeyOf(organization: string, role: Role): Environment {
    return this.keyOf(organization, role, this.generation + 1);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private get path(): string {
    return join(this.folder, 'keys.json');
  }

  /** In one step, as `dossier keys create` does it. */
  private write(...generations: readonly number[]): void {
    const entries = generations.flatMap((generation) =>
      ORGANIZATIONS.flatMap((organization) => ROLES.map((role) => entryOf(organization, role, generation))),
    );
    const next = `${this.path}.next`;
    writeFileSync(next, JSON.stringify(entries));
    renameSync(next, this.path);
  }

  private unnamedToken(): Promise<string> {
    const nowMs = performance.now();
    if (!this.unnamed || nowMs - this.unnamed.madeAtMs > TOKEN_USED_FOR_MS) {
      this.unnamed = { token: this.sign(UNNAMED), madeAtMs: nowMs };
    }
    return this.unnamed.token;
  }

  private sign(name: string): Promise<string> {
    return new SignJWT({ organization: CHECKED_ORGANIZATION, role: 'admin', name })
      .setProtectedHeader({ alg: 'EdDSA' })
      .setSubject(UNNAMED)
      .setExpirationTime(TOKEN_LIFETIME)
      .sign(this.keyPair.privateKey);
  }
}

function keyText(organization: string, role: Role, generation: number): string {
  return `key ${generation} of ${organization} to ${role}`;
}

function entryOf(organization: string, role: Role, generation: number) {
  const sha256 = createHash('sha256')
    .update(keyText(organization, role, generation))
    .digest('hex');
  return {
    id: `${organization}-${role}-${generation}`,
    name: `${role} at ${organization}`,
    organization,
    role,
    sha256,
  };
}
