import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { markdownTable } from './report/markdown-table';
import { quantile } from './report/statistics';
import { ServerProcess } from './servers/server-process';
import { withServer, withStores } from './servers/with-servers';

const MEASURED_MS = 5000;
const PAUSE_MS = 10;
const LARGE_BODY = 'x'.repeat(1024 * 1024 - 1);
/** As a batch it has too many calls to be refused one by one. */
const COSTLY_JSON = JSON.stringify(Array.from({ length: 300_000 }, () => ({})));
/** What takes longest to parse: each object has a name of its own. */
const COSTLY_VALUE = `[${Array.from({ length: 90_000 }, (_, i) => `{"${i}":0}`).join(',')}]`;
const CHILDREN = 14_000;
const BATCH = 100;
const SUFFERER = 'b';
const ATTACKER = 'a';

type Params = Readonly<Record<string, unknown>>;

interface Reply {
  readonly error?: { readonly message: string; readonly data?: { readonly code: string } };
}

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
  { name: 'JSON values of 1 MiB of small objects', loops: 4, run: (a) => a.putJson('hot', 'objects', COSTLY_VALUE) },
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
  await attacker.noteBeginning();
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
  setMaxListeners(0, over.signal);
  const loops = Array.from({ length: attack.loops }, async () => {
    while (!over.signal.aborted) await attack.run(attacker, over.signal).catch(() => undefined);
  });
  const tookMs: number[] = [];
  const refusals = new Map<string, number>();
  const endsAtMs = performance.now() + MEASURED_MS;
  for (let i = 0; performance.now() < endsAtMs; i++) {
    const startedAtMs = performance.now();
    const call = i % 2 ? sufferer.put('own', 'key', 'x') : sufferer.call('task.get', { id: 'own' });
    const refusal = await call.catch(String);
    if (refusal !== undefined) refusals.set(refusal, (refusals.get(refusal) ?? 0) + 1);
    tookMs.push(performance.now() - startedAtMs);
    await new Promise((wake) => setTimeout(wake, PAUSE_MS));
  }
  over.abort();
  await Promise.all(loops);
  const refused = [...refusals].map(([word, count]) => `${count} ${word}`).join(', ');
  return [quantile(tookMs, 0.5).toFixed(1), quantile(tookMs, 0.99).toFixed(1), String(tookMs.length), refused || '0'];
}

function keyEntry(organization: string): object {
  const sha256 = createHash('sha256').update(`key of ${organization}`).digest('hex');
  return { id: organization, name: 'bench', organization, role: 'admin', sha256 };
}

class Organization {
  private readonly headers: Record<string, string>;
  /** Where its events begin. */
  private beginning = '';

  constructor(
    private readonly url: string,
    name: string,
  ) {
    this.headers = { 'content-type': 'application/json', 'x-api-key': `key of ${name}` };
  }

  put(taskId: string, key: string, content: string): Promise<string | undefined> {
    return this.call('task.create_attachment', { taskId, key, type: 'text', content });
  }

  /** `value` is JSON text. */
  putJson(taskId: string, key: string, value: string): Promise<unknown> {
    const params = `{"taskId":"${taskId}","key":"${key}","type":"json","value":${value}}`;
    return this.post(`{"jsonrpc":"2.0","method":"task.create_attachment","params":${params},"id":1}`);
  }

  /** Why it was refused. */
  async call(method: string, params: Params): Promise<string | undefined> {
    const { error } = (await this.post(JSON.stringify({ jsonrpc: '2.0', method, params, id: 1 }))) as Reply;
    return error && (error.data?.code ?? error.message);
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

  async noteBeginning(): Promise<void> {
    this.beginning = /^id: (.+)$/m.exec(await this.firstPart(''))?.[1] as string;
  }

  /** One page, and then again from the beginning. */
  followFromTheBeginning(signal: AbortSignal): Promise<unknown> {
    return this.firstPart(`?lastEventId=${this.beginning}`, signal);
  }

  private async firstPart(query: string, signal?: AbortSignal): Promise<string> {
    const response = await fetch(`${this.url}/events${query}`, { headers: this.headers, signal });
    if (!response.ok) throw new Error(`/events: ${response.status}`);
    const reader = response.body?.getReader();
    const part = await reader?.read();
    await reader?.cancel().catch(() => undefined);
    return Buffer.from(part?.value ?? '').toString();
  }

  async post(body: string): Promise<unknown> {
    return (await fetch(`${this.url}/rpc`, { method: 'POST', headers: this.headers, body })).json();
  }
}
