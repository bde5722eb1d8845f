import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(__dirname, '../..');
const run = promisify(execFile);

/** A folder in which the package of the client is installed, as it would be published, and the packages of NATS. */
export interface InstalledClient {
  /** Runs a program of JavaScript there, as a module; returns what it has printed. */
  run(program: string): Promise<string>;
  remove(): void;
}

export async function installClient(): Promise<InstalledClient> {
  const folder = mkdtempSync(join(tmpdir(), 'dossier-client-'));
  const installed = join(folder, 'node_modules/@dossier/client');
  mkdirSync(installed, { recursive: true });
  symlinkSync(join(ROOT, 'node_modules/@nats-io'), join(folder, 'node_modules/@nats-io'));
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder], {
    cwd: join(ROOT, 'client'),
  });
  await run('tar', ['-xzf', join(folder, stdout.trim()), '--strip-components=1', '-C', installed]);
  return {
    async run(program) {
      const { stdout: printed } = await run(process.execPath, ['--input-type=module', '--eval', program], {
        cwd: folder,
      });
      return printed;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
