import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { freePort } from './free-port';
import { findOrInstall } from './installed-binary';
import { until } from './poll';
import { PrivateServer } from './private-server';
import { unprivilegedUser, type PostgresServer } from './postgres-server';
import type { ServerProgram } from './server-process';

const START_TIMEOUT_MS = 20_000;

export type PgBouncer = Omit<PrivateServer, 'start'> & {
  /** The same database through the pooler. */
  through(databaseUrl: string): string;
  /** Takes over these settings, and the default of every other, while it runs. */
  reload(settings: Settings): Promise<void>;
};
type Settings = Readonly<Record<string, string | number>>;

/** In front of all databases of the server, with the default of every setting that is not given. */
export async function startPgBouncer(postgres: PostgresServer, settings: Settings = {}): Promise<PgBouncer> {
  const server = new Pooler(await freePort(), postgres, settings);
  await server.start();
  return server;
}

class Pooler extends PrivateServer {
  constructor(
    port: number,
    private readonly postgres: PostgresServer,
    private settings: Settings,
  ) {
    super('postgres', port);
    this.configure();
  }

  through(databaseUrl: string): string {
    const url = new URL(databaseUrl);
    url.port = String(this.port);
    return url.toString();
  }

  async reload(settings: Settings): Promise<void> {
    this.settings = settings;
    this.configure();
    process.kill(this.pid, 'SIGHUP');
    const wanted = Object.values(settings).map(String);
    await until('it has read its configuration', async () => {
      const values = await this.configuration();
      return wanted.every((value) => values.includes(value));
    });
  }

  protected program(): ServerProgram {
    return {
      path: findOrInstall('pgbouncer'),
      args: [join(this.folder, 'pgbouncer.ini')],
      // It refuses to run as root.
      options: unprivilegedUser(),
      answers: () =>
        this.configuration().then(
          (values) => values.includes(this.folder),
          () => false,
        ),
      startTimeoutMs: START_TIMEOUT_MS,
    };
  }

  private configure(): void {
    const file = join(this.folder, 'pgbouncer.ini');
    const users = join(this.folder, 'users.txt');
    const own = { listen_addr: '127.0.0.1', listen_port: this.port, unix_socket_dir: '', logfile: '' };
    // The folder, in a setting that means nothing here, tells it from another server that has taken the port first.
    const access = { auth_type: 'any', auth_file: users, admin_users: 'postgres', stats_users: this.folder };
    const lines = Object.entries({ ...own, ...access, ...this.settings }).map(([name, value]) => `${name} = ${value}`);
    const databases = `* = host=127.0.0.1 port=${this.postgres.port} user=postgres`;
    writeFileSync(file, ['[databases]', databases, '[pgbouncer]', ...lines, ''].join('\n'));
    writeFileSync(users, '"postgres" ""\n');
    const owner = unprivilegedUser();
    if (owner) for (const path of [this.folder, file, users]) chownSync(path, owner.uid, owner.gid);
    chmodSync(this.folder, 0o755);
  }

  /** Its values, as it tells them itself. */
  private async configuration(): Promise<unknown[]> {
    const client = new Client({
      connectionString: `postgres://postgres@127.0.0.1:${this.port}/pgbouncer`,
      connectionTimeoutMillis: 1000,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return (await client.query<{ value: unknown }>('SHOW CONFIG')).rows.map(({ value }) => value);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
