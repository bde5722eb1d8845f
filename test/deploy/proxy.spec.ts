import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port';
import { findOrInstall } from '../support/installed-binary';
import { until } from '../support/poll';
import { ServerProcess } from '../support/server-process';
import { startService, type Service } from '../support/service';

const CONFIG = join(__dirname, '../../deploy/compose/haproxy.cfg');
const OPERATOR_KEY = 'operator-key';
const START_TIMEOUT_MS = 20_000;

/** The proxy of docker-compose.yml, with the addresses of this machine in the place of compose's names. */
async function startProxy(
  replicas: readonly Service[],
  folder: string,
): Promise<{ url: string; process: ServerProcess }> {
  const port = await freePort();
  const config = replicas
    .reduce(
      (text, { url }, i) => {
        const name = `dossier-${i + 1}:3000`;
        expect(text).toContain(` ${name}\n`);
        return text.replace(name, new URL(url).host);
      },
      readFileSync(CONFIG, 'utf8'),
    )
    .replace('bind :8080', `bind 127.0.0.1:${port}`);
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(file, config);
  const url = `http://127.0.0.1:${port}`;
  const process = await ServerProcess.start({
    path: findOrInstall('haproxy'),
    args: ['-db', '-f', file],
    answers: async () => (await fetch(`${url}/proxyz`).catch(() => undefined)) !== undefined,
    startTimeoutMs: START_TIMEOUT_MS,
  });
  return { url, process };
}

describe('two replicas behind the proxy of compose', () => {
  let folder: string;
  let replicas: readonly Service[];
  let proxy: { url: string; process: ServerProcess };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dossier-proxy-'));
    const operators = join(folder, 'operators.json');
    const sha256 = createHash('sha256').update(OPERATOR_KEY).digest('hex');
    writeFileSync(operators, JSON.stringify([{ id: 'o', name: 'o', sha256 }]));
    const start = (name: string) =>
      startService({
        DATA_DIR: 'memory',
        INSTANCE_ID: name,
        SHUTDOWN_DELAY_MS: '5000',
        TRUST_PROXY: '127.0.0.1',
        RATE_LIMITS: 'task.get=1/1h',
        OPERATOR_KEYS_FILE: operators,
      });
    replicas = [await start('dossier-1'), await start('dossier-2')];
    proxy = await startProxy(replicas, folder);
    await until('the proxy has found both', async () => (await statuses()).every((status) => status === 200));
  });
  afterAll(async () => {
    await proxy?.process.end('SIGKILL');
    for (const replica of replicas ?? []) await replica.kill();
    if (folder) rmSync(folder, { recursive: true });
  });

  const call = async (method: string, headers: Record<string, string> = {}) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: method === 'task.get' ? { id: 't' } : {} });
    return fetch(`${proxy.url}/rpc`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });
  };
  const statuses = async () => [(await fetch(`${proxy.url}/proxyz`)).status, (await call('task.list')).status];

  it('callers are told apart by the address from which they call the proxy', async () => {
    const [replica] = replicas as readonly [Service, ...Service[]];
    const get = (from: string) => replica.error('task.get', { id: 't' }, { 'x-forwarded-for': from });
    expect(await get('192.0.2.1')).toMatchObject({ data: { code: 'TASK_NOT_FOUND' } });
    expect(await get('192.0.2.1')).toMatchObject({ data: { code: 'RATE_LIMITED' } });
    expect(await get('192.0.2.2')).toMatchObject({ data: { code: 'TASK_NOT_FOUND' } });
  });

  const PRIVATE = ['/metrics', '/livez', '/readyz', '/startupz', '/%6detrics', '/metric%73', '/%72eadyz'];
  it.each(PRIVATE)('%s is not for callers', async (path) => {
    expect((await fetch(proxy.url + path)).status).toBe(404);
  });

  it.each(['/admin/status', '/%61dmin/status'])('%s is for operators past the proxy only', async (path) => {
    const [replica] = replicas as readonly [Service, ...Service[]];
    const statusAt = async (url: string) =>
      (await fetch(url + path, { headers: { 'x-operator-key': OPERATOR_KEY } })).status;
    expect([await statusAt(replica.url), await statusAt(proxy.url)]).toEqual([200, 404]);
  });

  it('no call fails while one replica leaves, and the proxy says so when none is left', async () => {
    const [first, second] = replicas as readonly [Service, Service];
    let hasEnded = false;
    const calls: number[] = [];
    const caller = (async () => {
      while (!hasEnded) calls.push((await call('task.list')).status);
    })();
    await until('calls are served', () => calls.length > 10);
    expect(await first.stop()).toBe(0);
    const soFar = calls.length;
    await until('calls go on', () => calls.length > soFar + 10);
    hasEnded = true;
    await caller;
    expect(calls.filter((status) => status !== 200)).toEqual([]);
    await second.kill();
    await until('the proxy has noticed', async () => (await statuses()).every((status) => status === 503));
  });
});
