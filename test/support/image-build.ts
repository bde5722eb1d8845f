import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

const ROOT = join(__dirname, '../..');
const RUN_TIMEOUT_MS = 600_000;

/** Only in an image: they change the system around the folder of the service. */
const OF_THE_SYSTEM = /\bapt-get\b/;

interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** What the Dockerfile says of the image. */
export interface ImageConfig {
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly bases: readonly string[];
}

export interface ImageFolder {
  /** `/app` of the last stage. */
  readonly app: string;
  readonly config: ImageConfig;
  /** Instructions that need an engine. */
  readonly notRun: readonly string[];
  remove(): void;
}

/**
 * Carries out a Dockerfile in a new folder, without an engine: each COPY, from what `.dockerignore` lets through, and
 * each RUN that works in `/app`. Everything else about the image is reported, not done.
 */
export function buildImageFolder(dockerfile: string): ImageFolder {
  const folder = mkdtempSync(join(tmpdir(), 'dossier-image-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const context = contextOf(join(folder, 'context'));
    const stages = stagesOf(dockerfile);
    const notRun = stages.flatMap((stage) => carryOut(stage, folder, context));
    const last = stages.at(-1) as Stage;
    return { app: join(folder, last.name, 'app'), config: configOf(stages), notRun, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

interface Stage {
  readonly name: string;
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

function stagesOf(dockerfile: string): readonly Stage[] {
  const lines = readFileSync(join(ROOT, dockerfile), 'utf8').split('\n');
  const instructions = lines
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', text = ''] = /^([A-Z]+) (.*[^\\])$/.exec(line) ?? [];
      if (name === '') throw new Error(`an instruction that is not on one line: ${line}`);
      return { name, text };
    });
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  for (const instruction of instructions) {
    if (instruction.name === 'FROM') {
      const [base = '', , name = 'last'] = instruction.text.split(' ');
      stages.push({ name, base, instructions: [] });
    } else stages.at(-1)?.instructions.push(instruction);
  }
  return stages;
}

/** What is committed or about to be, and passes `.dockerignore`: a list of exceptions from "nothing". */
function contextOf(folder: string): string {
  const [nothing, ...exceptions] = readFileSync(join(ROOT, '.dockerignore'), 'utf8').trim().split('\n');
  if (nothing !== '*' || exceptions.some((line) => !line.startsWith('!'))) throw new Error('.dockerignore: not a list');
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT });
  const isWanted = (file: string) =>
    exceptions.some((line) => file === line.slice(1) || file.startsWith(`${line.slice(1)}/`));
  for (const file of listed.toString().split('\0').filter(isWanted)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(ROOT, file), join(folder, file));
  }
  return folder;
}

function carryOut({ name, instructions }: Stage, folder: string, context: string): readonly string[] {
  const root = join(folder, name);
  let workDirectory = root;
  const notRun: string[] = [];
  for (const { name: instruction, text } of instructions) {
    if (instruction === 'WORKDIR') mkdirSync((workDirectory = join(root, text)), { recursive: true });
    if (instruction === 'COPY') copy(text, workDirectory, { folder, context });
    if (instruction !== 'RUN') continue;
    if (OF_THE_SYSTEM.test(text)) notRun.push(text);
    else run(text, workDirectory);
  }
  return notRun;
}

function copy(text: string, to: string, { folder, context }: { folder: string; context: string }): void {
  const words = text.split(' ');
  const flags = words.filter((word) => word.startsWith('--'));
  const paths = words.filter((word) => !word.startsWith('--'));
  const stage = flags.find((flag) => flag.startsWith('--from='))?.slice('--from='.length);
  const target = paths.pop() as string;
  for (const path of paths) {
    const source = stage === undefined ? join(context, path) : join(folder, stage, path);
    const isFolder = target.endsWith('/');
    const copied = isFolder ? join(to, target, path.split('/').at(-1) as string) : join(to, target);
    if (relative(folder, copied).startsWith('..')) throw new Error(`COPY leaves the image: ${text}`);
    cpSync(source, copied, { recursive: true, verbatimSymlinks: true });
  }
}

/** With npm's cache first: what is tested is the Dockerfile, not the network. */
function run(command: string, cwd: string): void {
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], npm_config_prefer_offline: 'true' };
  execFileSync('sh', ['-c', command], { cwd, env, stdio: ['ignore', 'ignore', 'pipe'], timeout: RUN_TIMEOUT_MS });
}

function configOf(stages: readonly Stage[]): ImageConfig {
  const { instructions } = stages.at(-1) as Stage;
  const texts = (name: string) => instructions.filter((one) => one.name === name).map(({ text }) => text);
  const list = (name: string) => JSON.parse(texts(name).at(-1) ?? '[]') as string[];
  const env = texts('ENV').flatMap((text) => text.split(' ').map((pair) => pair.split('=') as [string, string]));
  return {
    env: Object.fromEntries(env),
    user: texts('USER').at(-1) ?? 'root',
    entrypoint: list('ENTRYPOINT'),
    command: list('CMD'),
    bases: stages.map(({ base }) => base),
  };
}
