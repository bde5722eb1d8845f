import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { markdownTable } from './markdown-table';
import { ServerProcess } from './server-process';
import { withServer, withStores } from './with-servers';

const MEASURED_MS = 5000;
const PAUSE_MS = 10;
const LARGE_BODY = 'x'.repeat(1024 * 1024 - 1);
/** As a batch it is too long, which is seen when it has been parsed. */
const COSTLY_JSON = JSON.stringify(Array.from({ length: 300_000 }, () => ({})));
const CHILDREN = 14_000;
const BATCH = 100;
const SUFFERER = 'b';
const ATTACKER = 'a';

type Params = Readonly<Record<string, unknown>>;

/** What organisation A does meanwhile, again and again until the signal aborts. */
interface Attack {
  readonly name: string;
  readonly loops: number;
  readonly run: (attacker: Organization, signal: AbortSignal) => Promise<unknown>;
}

const ATTACKS: readonly Attack[] = [
  { name: 'alone', loops: 0, run: () => Promise.resolve() },
  { name: 'a hot key, 64 writers', loops: 64, run: (a) => a.put('hot', 'hot', 'x') },
  { name: 'own key overloaded, 100 writes at once', loops: 1, run: (a) => a.all(100, () => a.put('hot', 'hot', 'x')) },
  {
    name: 'batches of 50 lists of 100 × 1 MiB',
    loops: 4,
    run: (a) => a.send(50, () => ['task.list_attachments', { taskId: 'large', limit: 100 }]),
  },
  { name: '30 loops of /events from the beginning', loops: 30, run: (a, signal) => a.followFromTheBeginning(signal) },
  { name: 'messages of 300,000 empty objects', loops: 4, run: (a) => a.post(COSTLY_JSON) },
  { name: 'the deletion of 14,000 sub-tasks', loops: 1, run: (a) => a.call('task.delete', { id: 'tree' }) },
];

/** How long the calls of one organisation take beside the attacks of another. Returns a report in Markdown. */
export function measureFairness(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'dossier-bench-'));
  const path = join(folder, 'keys.json');
  writeFileSync(path, JSON.stringify([ATTACKER, SUFFERER].map(keyEntry)));
  return withStores(async (postgres, redis) => {
    const env = { DATABASE_URL: await postgres.createDatabase(), REDIS_URL: redis.url, API_KEYS_FILE: path };
    return withServer(ServerProcess.service(env), async ({ url }) => {
      const [attacker, sufferer] = [new Organization(url, ATTACKER), new Organization(url, SUFFERER)];
      await prepare(attacker, sufferer);
      const rows: string[][] = [];
      for (const attack of ATTACKS) rows.push([attack.name, ...(await measure(attack, attacker, sufferer))]);
      const header = ['organisation A', 'p50 of B, ms', 'p99 of B, ms', 'calls of B', 'refused'];
      return `## Fairness\n\n${markdownTable(header, rows)}`;
    });
  }).finally(() => rmSync(folder, { recursive: true, force: true }));
}

async function prepare(attacker: Organization, sufferer: Organization): Promise<void> {
  for (const id of ['hot', 'large', 'tree']) await attacker.call('task.create', { id, text: 'x' });
  await sufferer.call('task.create', { id: 'own', text: 'x' });
  await sufferer.put('own', 'key', 'x');
  for (let i = 0; i < 100; i++) await attacker.put('large', `k${i}`, LARGE_BODY);
  for (let i = 0; i < CHILDREN; i += BATCH) {
    await attacker.send(BATCH, () => ['task.create', { parentId: 'tree', text: 'x' }]);
  }
}

async function measure(attack: Attack, attacker: Organization, sufferer: Organization): Promise<string[]> {
  const over = new AbortController();
  const loops = Array.from({ length: attack.loops }, async () => {
    while (!over.signal.aborted) await attack.run(attacker, over.signal).catch(() => undefined);
  });
  const tookMs: number[] = [];
  let refused = 0;
  const endsAtMs = performance.now() + MEASURED_MS;
  for (let i = 0; performance.now() < endsAtMs; i++) {
    const startedAtMs = performance.now();
    const call = i % 2 ? sufferer.put('own', 'key', 'x') : sufferer.call('task.get', { id: 'own' });
    if (!(await call.catch(() => false))) refused += 1;
    tookMs.push(performance.now() - startedAtMs);
    await new Promise((wake) => setTimeout(wake, PAUSE_MS));
  }
  over.abort();
  await Promise.all(loops);
  tookMs.sort((one, other) => one - other);
  const quantile = (part: number) => (tookMs[Math.floor(part * (tookMs.length - 1))] as number).toFixed(1);
  return [quantile(0.5), quantile(0.99), String(tookMs.length), String(refused)];
}

function keyEntry(organization: string): object {
  const sha256 = createHash('sha256').update(`key of ${organization}`).digest('hex');
  return { id: organization, name: 'bench', organization, role: 'admin', sha256 };
}

class Organization {
  private readonly headers: Record<string, string>;

  constructor(
    private readonly url: string,
    name: string,
  ) {
    this.headers = { 'content-type': 'application/json', 'x-api-key': `key of ${name}` };
  }

  put(taskId: string, key: string, content: string): Promise<boolean> {
    return this.call('task.create_attachment', { taskId, key, type: 'text', content });
  }

  /** Whether it was not refused. */
  async call(method: string, params: Params): Promise<boolean> {
    const reply = (await this.post(JSON.stringify({ jsonrpc: '2.0', method, params, id: 1 }))) as { result?: unknown };
    return reply.result !== undefined;
  }

  /** One batch. */
  send(count: number, call: () => readonly [method: string, params: Params]): Promise<unknown> {
    const calls = Array.from({ length: count }, (_, id) => {
      const [method, params] = call();
      return { jsonrpc: '2.0', method, params, id };
    });
    return this.post(JSON.stringify(calls));
  }

  all(count: number, call: () => Promise<unknown>): Promise<unknown> {
    return Promise.all(Array.from({ length: count }, call));
  }

  /** One page, and then again from the beginning. */
  async followFromTheBeginning(signal: AbortSignal): Promise<void> {
    const response = await fetch(`${this.url}/events?lastEventId=1:1:`, { headers: this.headers, signal });
    await response.body?.getReader().read();
    await response.body?.cancel().catch(() => undefined);
  }

  async post(body: string): Promise<unknown> {
    return (await fetch(`${this.url}/rpc`, { method: 'POST', headers: this.headers, body })).json();
  }
}
