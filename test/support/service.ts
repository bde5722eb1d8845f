import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DossierClient, type Method } from '../../client/src/dossier-client';
import { checkReplies } from './described-replies';
import { pauseProcesses, resumeProcesses } from './pause-processes';
import { until } from './poll';
import { spawnMortal } from './spawn-mortal';

const ROOT = join(__dirname, '../..');
const START_TIMEOUT_MS = 60_000;
/** The promised time, and some more for a busy machine. */
const STOP_TIMEOUT_MS = 20_000;
/** A test sees each reply, whatever it is. */
const ONCE = { retries: 0, timeoutMs: 60_000, acceptDegraded: true } as const;

export type Members = Record<string, unknown>;
export type Environment = Readonly<Record<string, string>>;

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: Members;
}

export interface RpcReply {
  readonly jsonrpc: '2.0';
  readonly result?: Members;
  readonly error?: RpcError;
  readonly id: unknown;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface Exit {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built service as a process of its own, which serves and is waiting for calls. */
export class Service {
  private calls = 0;

  constructor(
    readonly url: string,
    private readonly program: Program,
  ) {}

  get pid(): number {
    return this.program.child.pid as number;
  }

  get logLines(): readonly string[] {
    return this.program.stdout.split('\n').filter((line) => line !== '');
  }

  /** It has noticed a signal. */
  get hasBegunToStop(): boolean {
    return this.program.stdout.includes('finishing what is in flight');
  }

  get stderr(): string {
    return this.program.stderr;
  }

  async rpc(method: string, params: unknown = {}, headers: Environment = {}): Promise<RpcReply> {
    const body = JSON.stringify({ jsonrpc: '2.0', method, params, id: `call-${++this.calls}` });
    return JSON.parse((await this.post(body, headers)).text) as RpcReply;
  }

  /** By the typed client, as an application calls. Throws when the reply is an error. */
  async result<T = Members>(method: string, params: unknown = {}, headers: Environment = {}): Promise<T> {
    const client = new DossierClient({ url: this.url, fetch: (_url, init) => this.fetchForClient(init, headers) });
    return (await client.call(method as Method, params as never, ONCE)) as T;
  }

  /** Throws when the reply is no error. */
  async error(method: string, params?: unknown, headers?: Environment): Promise<RpcError> {
    const { result, error } = await this.rpc(method, params, headers);
    if (!error) throw new Error(`${method} was not refused: ${JSON.stringify(result)}`);
    return error;
  }

  /** Throws if the reply is not as the method is described. */
  async post(body: string | Uint8Array<ArrayBuffer>, headers: Environment = {}): Promise<HttpReply> {
    const allHeaders = { 'content-type': 'application/json', ...headers };
    const reply = await this.fetch('/rpc', { method: 'POST', body, headers: allHeaders });
    checkReplies(body.toString(), reply.text);
    return reply;
  }

  private async fetchForClient({ body = '' }: { readonly body?: string }, headers: Environment): Promise<Response> {
    const reply = await this.post(body, headers);
    return new Response(reply.status === 204 ? null : reply.text, { status: reply.status, headers: reply.headers });
  }

  async fetch(path: string, init: RequestInit = {}): Promise<HttpReply> {
    const response = await fetch(this.url + path, init);
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  async until(path: string, status: number): Promise<HttpReply> {
    return until(`${path} answers ${status}`, async () => {
      const reply = await this.fetch(path);
      return reply.status === status && reply;
    });
  }

  /** Ends it in order, as an orchestrator does; resolves with its exit code. */
  async stop(): Promise<number | null> {
    this.program.child.kill('SIGTERM');
    const timer = setTimeout(() => this.program.child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const { code } = await this.program.exit.finally(() => clearTimeout(timer));
    return code;
  }

  /** As a crash would: nothing is finished. */
  async kill(): Promise<void> {
    this.program.child.kill('SIGKILL');
    await this.program.exit;
  }

  /** It keeps its connections, and does nothing until `resume`. */
  pause(): void {
    pauseProcesses([this.pid]);
  }

  resume(): void {
    resumeProcesses([this.pid]);
  }

  signal(signal: NodeJS.Signals): void {
    this.program.child.kill(signal);
  }

  /** As if the reader of its log had ended. */
  closeOutput(): void {
    this.program.child.stdout?.destroy();
    this.program.child.stderr?.destroy();
  }

  /** Resolves when the process has ended by itself, or by a signal sent before. */
  get exit(): Promise<Exit> {
    return this.program.exit;
  }
}

/** Started, and ready for calls. `root` is the folder of another version of the service. */
export async function startService(env: Environment, root?: string): Promise<Service> {
  const service = await launchService(env, root);
  try {
    await service.until('/startupz', 200);
    return service;
  } catch (error) {
    await service.kill();
    throw error;
  }
}

/** Listening, which is before start-up is complete. */
export async function launchService(env: Environment, root?: string): Promise<Service> {
  // On a busy machine the event loop may be late at any time: only the tests of load shedding want a reply to that.
  const program = run('dist/main.js', [], { PORT: '0', MAX_EVENT_LOOP_DELAY_MS: '60000', ...env }, root);
  let hasEnded = false;
  void program.exit.then(() => (hasEnded = true));
  const listens = until('the service listens', () => hasEnded || addressIn(program.stdout), START_TIMEOUT_MS);
  const url = await listens.catch((error: unknown) => {
    program.child.kill('SIGKILL');
    throw error;
  });
  if (url !== true) return new Service(url, program);
  const { code, stdout, stderr } = await program.exit;
  throw new Error(`the service ended with exit code ${code}:\n${stdout}${stderr}`);
}

/** Runs one of the built programs to its end. */
export function runProgram(program: string, args: readonly string[], env: Environment, root?: string): Promise<Exit> {
  return run(program, args, env, root).exit;
}

interface Program {
  readonly child: ChildProcess;
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: Promise<Exit>;
}

/** In an environment of its own: variables of the test's process configure nothing. */
function run(script: string, args: readonly string[], env: Environment, root = ROOT): Program {
  const child = spawnMortal(process.execPath, [join(root, script), ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const exit = once(child, 'close').then(([code]) => ({ code: code as number | null, ...output }));
  return {
    child,
    exit,
    get stdout() {
      return output.stdout;
    },
    get stderr() {
      return output.stderr;
    },
  };
}

function addressIn(log: string): string | undefined {
  return /"listening on (http:\/\/[^"]+)"/.exec(log)?.[1];
}
