import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBinary } from '../support/installed-binary';
import { until } from '../support/poll';
import { startService, type HttpReply } from '../support/service';
import { spawnMortal } from '../support/spawn-mortal';

const ROOT = join(__dirname, '../..');
const PID_NAMESPACE = ['--pid', '--fork', '--mount-proc', '--kill-child'];

/** As in a container of its own, in which it has the process id 1, if this machine can do that. */
function startContained(dataDir: string) {
  const unshare = process.getuid?.() === 0 ? findBinary('unshare') : undefined;
  const command = [...(unshare ? [unshare, ...PID_NAMESPACE] : []), process.execPath, join(ROOT, 'dist/main.js')];
  const env = { PATH: process.env['PATH'] ?? '', DATA_DIR: dataDir, PORT: '0' };
  const child = spawnMortal(command[0] as string, command.slice(1), { env, cwd: ROOT });
  const output = { text: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data: Buffer) => (output.text += data.toString()));
  }
  const isListening = () => output.text.includes('listening on');
  return {
    output,
    isListening,
    untilListening: () => until('it listens', () => child.exitCode !== null || isListening(), 60_000),
    exit: once(child, 'close').then(([code]) => code as number | null),
    kill: async () => {
      const closed = once(child, 'close');
      if (child.exitCode === null && child.kill('SIGKILL')) await closed;
    },
  };
}

describe('a data directory that two containers share', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'dossier-data-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it.each(['data', 'd'.repeat(120)])('has one owner, and after its crash the next one: %s', async (name) => {
    const dataDir = join(folder, name);
    const first = startContained(dataDir);
    try {
      await first.untilListening();
      expect(first.output.text).toContain('listening on');
      expect(statSync(dataDir).mode & 0o777).toBe(0o700);
      const second = startContained(dataDir);
      expect(await second.exit).toBeGreaterThan(0);
      expect(second.output.text).toMatch(/^dossier: DATA_DIR .* is in use by process \d+ on .+\n$/m);
    } finally {
      await first.kill();
    }
    const third = startContained(dataDir);
    try {
      await third.untilListening();
      expect(third.output.text).toContain('listening on');
    } finally {
      await third.kill();
    }
  });

  it('has one owner if several processes find the file of a dead one at the same time', async () => {
    mkdirSync(join(folder, 'data'));
    writeFileSync(join(folder, 'data/dossier.lock'), 'what a release before this one has left');
    const all = Array.from({ length: 3 }, () => startContained(join(folder, 'data')));
    try {
      await Promise.all(all.map(({ untilListening }) => untilListening()));
      expect(all.filter(({ isListening }) => isListening())).toHaveLength(1);
    } finally {
      await Promise.all(all.map(({ kill }) => kill()));
    }
  });
});

describe('an embedded database that cannot write its log, as on a full disk', () => {
  it('is shown until it is there again, and has what was acknowledged', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dossier-data-'));
    const service = await startService({ DATA_DIR: folder });
    const [log, away] = [join(folder, 'postgres/pg_wal'), join(folder, 'away')];
    const put = (key: string, content: string) =>
      service.rpc('task.create_attachment', { taskId: 't', key, type: 'text', content });
    const postgresIn = ({ text }: HttpReply) =>
      (JSON.parse(text) as { details: { postgres: unknown } }).details.postgres;
    const series = async () => (await service.fetch('/metrics')).text.match(/^dossier_dependency_up\{.*/gm) ?? [];
    try {
      await service.result('task.create', { id: 't', text: 'A task' });
      await put('kept', 'kept');
      expect(postgresIn(await service.until('/readyz', 200))).toEqual({ status: 'up', state: 'embedded' });
      expect(await series()).toEqual([]);

      renameSync(log, away);
      // More than fits into the part of the log that is open.
      const filler = Array.from({ length: 150_000 }, (_, i) => i).join(' ');
      const isRefused = async () => (await put('filler', filler)).error;
      expect(await until('a write is refused', isRefused)).toMatchObject({ code: -32001 });
      expect(postgresIn(await service.until('/readyz', 503))).toEqual({ status: 'down', state: 'down' });
      expect(await series()).toEqual(['dossier_dependency_up{dependency="postgres"} 0']);

      rmSync(log, { recursive: true, force: true });
      renameSync(away, log);
      await service.until('/readyz', 200);
      expect(await series()).toEqual([]);
      expect(await service.result('task.get_attachment', { taskId: 't', key: 'kept' })).toMatchObject({
        content: 'kept',
      });
    } finally {
      await service.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
