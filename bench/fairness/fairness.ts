import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { startNats } from '../../test/support/nats-server';
import { writeOrganizationKeys } from '../../test/support/organization-keys';
import { askChild } from '../load/ask-child';
import { markdownTable } from '../report/markdown-table';
import { quantile } from '../report/statistics';
import { ServerProcess } from '../servers/server-process';
import { withServer, withStores } from '../servers/with-servers';
import type { Order } from './attacker';
import { ATTACKS, type Scene } from './attacks';
import { Organization } from './organization';

const ATTACKER_PROGRAM = join(__dirname, 'attacker.js');
const MEASURED_MS = 5000;
const PAUSE_MS = 10;
/** Until what an attack has left to do is done. */
const SETTLE_MS = 1000;
const LARGE_BODY = 'x'.repeat(1024 * 1024 - 1);
const CHILDREN = 14_000;
const MANY = 10_000;
const BATCH = 100;
const SUFFERER = 'b';
const ATTACKER = 'a';

/** How long the calls of one organisation take beside the attacks of another. Returns a report in Markdown. */
export function measureFairness(): Promise<string> {
  const keys = writeOrganizationKeys(ATTACKER, SUFFERER);
  return withServer(startNats(), (nats) =>
    withStores(async (postgres, redis) => {
      const stores = { DATABASE_URL: await postgres.createDatabase(), REDIS_URL: redis.url };
      const env = { ...stores, NATS_URL: nats.url, API_KEYS_FILE: keys.path };
      return withServer(ServerProcess.service(env), async ({ url }) => {
        const sufferer = new Organization(url, SUFFERER);
        const firstEvent = await prepare(new Organization(url, ATTACKER), sufferer);
        const scene = { url, nats: nats.url, organization: ATTACKER, firstEvent };
        const rows: string[][] = [];
        for (const { name } of ATTACKS) rows.push([name, ...(await measureBeside(name, scene, sufferer))]);
        const header = ['organisation A', 'p50 of B, ms', 'p99 of B, ms', 'calls of B', 'refused'];
        return `## Fairness\n\n${markdownTable(header, rows)}`;
      });
    }),
  ).finally(() => keys.remove());
}

/** Returns the id of an event of the attacker, before which it has none. */
async function prepare(attacker: Organization, sufferer: Organization): Promise<string> {
  const firstEvent = /^id: (.+)$/m.exec(await attacker.firstEvents(''))?.[1] as string;
  for (const id of ['hot', 'large', 'many', 'tree']) await attacker.call('task.create', { id, text: 'x' });
  await sufferer.call('task.create', { id: 'own', text: 'x' });
  await sufferer.put('own', 'key', 'x');
  for (let i = 0; i < 100; i++) await attacker.put('large', `k${i}`, LARGE_BODY);
  let key = 0;
  const put = () =>
    ['task.create_attachment', { taskId: 'many', key: `k${key++}`, type: 'text', content: 'x' }] as const;
  for (let i = 0; i < MANY; i += BATCH) await attacker.send(BATCH, put);
  for (let i = 0; i < CHILDREN; i += BATCH) {
    await attacker.send(BATCH, () => ['task.create', { parentId: 'tree', text: 'x' }]);
  }
  return firstEvent;
}

async function measureBeside(attack: string, scene: Scene, sufferer: Organization): Promise<string[]> {
  const attacker = fork(ATTACKER_PROGRAM);
  try {
    await askChild(attacker, { scene, attack } satisfies Order);
    return await measure(sufferer);
  } finally {
    const ended = once(attacker, 'exit');
    attacker.kill('SIGKILL');
    await ended;
    await new Promise((wake) => setTimeout(wake, SETTLE_MS));
  }
}

async function measure(sufferer: Organization): Promise<string[]> {
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
  const refused = [...refusals].map(([word, count]) => `${count} ${word}`).join(', ');
  return [quantile(tookMs, 0.5).toFixed(1), quantile(tookMs, 0.99).toFixed(1), String(tookMs.length), refused || '0'];
}
