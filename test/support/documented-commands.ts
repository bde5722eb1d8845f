import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(__dirname, '../..');
const DOSSIER = `${process.execPath} ${join(ROOT, 'dist/commands/dossier.js')}`;
const TIMEOUT_MS = 60_000;
const execute = promisify(execFile);

export interface Surroundings {
  /** What stands in the document, and what takes its place here. */
  readonly places?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** The blocks of commands of a document, each of which is to be run by a test. */
export class DocumentedCommands {
  private readonly left: Set<string>;
  private readonly blocks: readonly string[];

  constructor(document: string) {
    const text = readFileSync(join(ROOT, document), 'utf8');
    this.blocks = [...text.matchAll(/^```sh\n([^]*?)^```/gm)].map(([, block = '']) => block);
    this.left = new Set(this.blocks);
  }

  /** Those that were not run. */
  get unused(): readonly string[] {
    return [...this.left];
  }

  /** The block that contains `part`, as it is to be run here. */
  take(part: string, places: Surroundings['places'] = {}): string {
    const found = this.blocks.filter((block) => block.includes(part));
    const [block] = found;
    if (block === undefined || found.length > 1) throw new Error(`${found.length} blocks contain ${part}`);
    this.left.delete(block);
    return Object.entries(places).reduce(
      (text, [name, here]) => {
        if (!text.includes(name)) throw new Error(`${name} is not in:\n${block}`);
        return text.replaceAll(name, here);
      },
      block.replaceAll(/^dossier /gm, `${DOSSIER} `),
    );
  }

  /** Rejects if it fails, with its output. */
  async run(part: string, { places, env, user }: Surroundings = {}): Promise<{ stdout: string; stderr: string }> {
    const surroundings = { PATH: process.env['PATH'] ?? '', ...env };
    return execute('sh', ['-ec', this.take(part, places)], {
      env: surroundings,
      timeout: TIMEOUT_MS,
      cwd: '/',
      ...user,
    });
  }
}
