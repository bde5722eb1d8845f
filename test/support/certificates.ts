import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findOrInstall } from './installed-binary';

/** PEM files. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** An authority of the test's own, and what it has issued, in a folder of its own. */
export class Certificates {
  private readonly folder = mkdtempSync(join(tmpdir(), 'dossier-certificates-'));
  private issued = 0;

  constructor() {
    writeFileSync(this.path('request.cnf'), '[req]\ndistinguished_name=name\n[name]\n[ca]\nbasicConstraints=CA:TRUE\n');
    const self = ['-x509', '-days', '2', '-extensions', 'ca', '-keyout', this.path('ca.key'), '-out', this.caFile];
    this.request('authority', self);
  }

  get caFile(): string {
    return this.path('ca.crt');
  }

  /** For a server on the loopback address, or for a client of this name. */
  issue(name: string): Certificate {
    const file = (ending: string) => this.path(`${name}-${this.issued}.${ending}`);
    this.issued += 1;
    const certificate = { certFile: file('crt'), keyFile: file('key') };
    this.request(name, ['-keyout', certificate.keyFile, '-out', file('csr')]);
    writeFileSync(file('ext'), 'subjectAltName=IP:127.0.0.1\n');
    const authority = ['-CA', this.caFile, '-CAkey', this.path('ca.key'), '-set_serial', String(this.issued)];
    const request = ['-req', '-in', file('csr'), '-extfile', file('ext'), '-days', '2', '-out', certificate.certFile];
    openssl('x509', ...request, ...authority);
    return certificate;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private request(name: string, options: readonly string[]): void {
    const config = ['-config', this.path('request.cnf'), '-subj', `/CN=${name}`];
    openssl('req', '-new', '-newkey', 'rsa:2048', '-nodes', ...config, ...options);
  }

  private path(name: string): string {
    return join(this.folder, name);
  }
}

function openssl(...args: string[]): void {
  execFileSync(findOrInstall('openssl'), args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
