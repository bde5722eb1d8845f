import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { freePort } from './free-port';
import { postgresBinaries } from './postgres-binaries';
import { ServerProcess } from './server-process';

const START_TIMEOUT_MS = 20_000;

export interface PostgresServer {
  /** Of the database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** The folder of its programs. */
  readonly binaries: string;
  /** A folder for backups, and for its log if it archives it. The user that it runs as may write there. */
  readonly archive: string;
  /** A new, empty database; returns its URL. */
  createDatabase(): Promise<string>;
  /** As if the machine lost power: what was committed stays. */
  kill(): Promise<void>;
  /** After `kill`: on the same port, with the same data. */
  restart(): Promise<void>;
  /** After `kill`: on the same port, with the data that `fill` puts in the place of its own. */
  restartWith(fill: Fill): Promise<void>;
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /** Whether it archives its log, so that a backup can be recovered to any moment. */
  readonly archives?: boolean;
  /** More of its settings, such as `fsync=on`; they override those that every such server has. */
  readonly settings?: readonly string[];
}

/** Fills an empty data folder, as the user that the server runs as. */
type Fill = (data: string, owner: Owner, binaries: string) => Promise<void> | void;

/** A private server on a free port of the loopback address, whose data lives as long as it does. */
export function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  return startWith((data, owner, binaries) => {
    const options = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
    return run(join(binaries, 'initdb'), options, data, owner);
  }, options);
}

/**
 * A server with all that the other one has now. A standby follows it from then on; a server that is none has only been
 * backed up, and goes its own way.
 */
export function startCopy(of: PostgresServer, { isStandby }: { isStandby: boolean }): Promise<PostgresServer> {
  return startWith((data, owner, binaries) => {
    const options = ['-d', of.url, '-D', data, '-X', 'stream', '-c', 'fast', '--no-sync', ...(isStandby ? ['-R'] : [])];
    return run(join(binaries, 'pg_basebackup'), options, data, owner);
  });
}

export type Owner = { uid: number; gid: number } | undefined;

/** What goes on in this process, such as proxies, does not wait for it. */
async function run(path: string, args: readonly string[], cwd: string, owner: Owner): Promise<void> {
  await promisify(execFile)(path, args, { ...owner, cwd });
}

async function startWith(
  fill: Fill,
  { archives = false, settings: more = [] }: PostgresOptions = {},
): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'dossier-postgres-'));
  try {
    const owner = unprivilegedUser();
    const data = join(folder, 'data');
    const archive = join(folder, 'archive');
    for (const path of [data, archive]) makeEmpty(path, owner);
    chmodSync(folder, 0o755);
    const binaries = postgresBinaries(join(folder, 'programs'));
    await fill(data, owner, binaries);
    const port = await freePort();
    const archiving = archives ? ['archive_mode=on', `archive_command=cp %p ${archive}/%f`] : [];
    const settings = [...archiving, ...more];
    const start = () => startOn(join(binaries, 'postgres'), data, port, owner, settings);
    const refill = async (fill: Fill) => {
      makeEmpty(data, owner);
      await fill(data, owner, binaries);
    };
    return new RunningServer(folder, binaries, archive, port, start, refill, await start());
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function makeEmpty(path: string, owner: Owner): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { mode: 0o700 });
  if (owner) chownSync(path, owner.uid, owner.gid);
}

class RunningServer implements PostgresServer {
  private databases = 0;

  constructor(
    private readonly folder: string,
    readonly binaries: string,
    readonly archive: string,
    readonly port: number,
    private readonly start: () => Promise<ServerProcess>,
    private readonly refill: (fill: Fill) => Promise<void>,
    private server: ServerProcess,
  ) {}

  get url(): string {
    return urlOf(this.port, 'postgres');
  }

  get pid(): number {
    return this.server.pid;
  }

  async createDatabase(): Promise<string> {
    const name = `test_${++this.databases}`;
    const client = new Client({ connectionString: this.url });
    await client.connect();
    await client.query(`CREATE DATABASE ${name}`).finally(() => client.end());
    return urlOf(this.port, name);
  }

  async kill(): Promise<void> {
    // Immediate shutdown: the sessions end at once, nothing is flushed, the next start recovers from the log.
    await this.server.end('SIGQUIT');
  }

  async restart(): Promise<void> {
    this.server = await this.start();
  }

  async restartWith(fill: Fill): Promise<void> {
    await this.refill(fill);
    await this.restart();
  }

  async stop(): Promise<void> {
    await this.server.end('SIGINT');
    await rm(this.folder, { recursive: true, force: true });
  }
}

function startOn(path: string, data: string, port: number, owner: Owner, more: readonly string[]) {
  const own = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off', 'shared_buffers=32MB'];
  const settings = [...own, ...more];
  return ServerProcess.start({
    path,
    args: ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    options: { ...owner, cwd: data, stdio: ['ignore', 'ignore', 'pipe'] },
    deathSignal: 'SIGQUIT',
    answers: () => answers(port, data),
    startTimeoutMs: START_TIMEOUT_MS,
  });
}

/** Compares the data directory: another server may have taken the port first. */
async function answers(port: number, data: string): Promise<boolean> {
  const client = new Client({ connectionString: urlOf(port, 'postgres'), connectionTimeoutMillis: 1000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
    return rows[0]?.data_directory === data;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function urlOf(port: number, database: string): string {
  return `postgres://postgres@127.0.0.1:${port}/${database}`;
}

/** PostgreSQL refuses to run as root. */
export function unprivilegedUser(): Owner {
  if (process.getuid?.() !== 0) return undefined;
  const id = (option: string) => Number(execFileSync('id', [option, 'nobody'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
