import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { natsHeaders } from '../support/nats-headers';
import { startNats, type NatsServer } from '../support/nats-server';
import { keyOf, writeOrganizationKeys } from '../support/organization-keys';
import { until } from '../support/poll';
import { openConnection, rawRequest } from '../support/raw-http';
import type { RpcReply } from '../support/service';
import { openOnServers, type Setup } from '../support/setups';
import { untilServedOverNats } from '../support/until-served-over-nats';

const MIB = 1024 * 1024;
const HEAP_MIB = 192;
/** Beside its heap, the process has its code and its stacks, and what it receives and sends outside of the heap. */
const MAX_MEMORY_MIB = HEAP_MIB + 256;
/** One character that Latin-1 lacks: in memory the text takes twice its bytes. */
const BODY = `€${'x'.repeat(MIB - 3)}`;
/** `TIMEOUT` on a machine that other work keeps busy. */
const REFUSALS = ['REPLY_TOO_LARGE', 'OVERLOADED', 'TIMEOUT'];
/** A service that reads more at once than it can is too slow in each of them. */
const MAX_ATTEMPTS = 5;
const FLOOD_BURSTS = 400;
/** Replies of 36 KB, 720 MB together. */
const DISCOVERIES = 20_000;
const WAVES = 100;
/** The service begins so many of one connection. */
const PIPELINED = 8;
const KEY = keyOf('greedy');
const MODEST_KEY = keyOf('modest');

const list = (limit: number) => ['task.list_attachments', { taskId: 'large', limit }] as const;
const sameKey = (count: number) => {
  const requests = Array.from({ length: count }, () => ({ taskId: 'large', key: 'k1' }));
  return ['task.get_attachments_batch', { requests }] as const;
};
type Call = ReturnType<typeof list> | ReturnType<typeof sameKey>;

/** Messages that are sent at once, each a batch or one call. */
const ATTACKS: readonly { name: string; messages: readonly (readonly Call[])[] }[] = [
  { name: 'a batch of 50 lists of 100 MiB', messages: [Array(50).fill(list(100))] },
  { name: 'one attachment that is named a hundred times', messages: [[sameKey(100)]] },
  { name: 'eight lists of 100 MiB', messages: Array(8).fill([list(100)]) },
  { name: 'eight batches of 50 lists that a reply could carry', messages: Array(8).fill(Array(50).fill(list(7))) },
  { name: '32 calls that name one attachment seven times', messages: Array(32).fill([sameKey(7)]) },
  { name: '64 lists that a reply could carry', messages: Array(64).fill([list(3)]) },
];

describe(`a process with a heap of ${HEAP_MIB} MiB`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'dossier-nats-'));
  const keys = writeOrganizationKeys('greedy', 'modest');
  let nats: NatsServer;
  let client: NatsConnection;
  let setup: Setup;

  beforeAll(async () => {
    const configuration = join(folder, 'nats.conf');
    writeFileSync(configuration, `max_payload: ${8 * MIB}`);
    nats = await startNats({ jetStream: false, args: ['--config', configuration] });
    client = await connect({ servers: nats.url });
    // The space for young objects is that of Node.js 20 and 22, whichever runs this.
    const NODE_OPTIONS = `--max-old-space-size=${HEAP_MIB} --max-semi-space-size=16`;
    setup = await openOnServers({ NODE_OPTIONS, API_KEYS_FILE: keys.path, NATS_URL: nats.url });
    await setup.service.result('task.create', { id: 'large', text: 'x' }, KEY);
    await setup.service.result('task.create', { id: 'small', text: 'x' }, MODEST_KEY);
    for (let i = 0; i < 100; i++) {
      const params = { taskId: 'large', key: `k${i}`, type: 'text', content: BODY };
      await setup.service.result('task.create_attachment', params, KEY);
    }
    await untilServedOverNats(nats.url);
  });
  afterAll(async () => {
    await client?.close();
    await setup?.close();
    await nats?.stop();
    keys.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const overHttp = async (calls: readonly Call[]): Promise<RpcReply[]> => {
    const requests = calls.map(([method, params], id) => ({ jsonrpc: '2.0', method, params, id }));
    const { text } = await setup.service.post(JSON.stringify(requests.length === 1 ? requests[0] : requests), KEY);
    return [JSON.parse(text) as RpcReply | RpcReply[]].flat();
  };
  const overNats = async ([method, params]: Call): Promise<RpcReply> => {
    const reply = await client.request(method, JSON.stringify(params), { headers: natsHeaders(KEY), timeout: 30_000 });
    return reply.json<RpcReply>();
  };
  /** The most memory that the process has while the attack runs, and the bodies of the replies that carry any. */
  const under = async (attack: Promise<readonly RpcReply[][]>, tolerated: readonly string[] = []) => {
    let isOver = false;
    const replies = attack.finally(() => (isOver = true));
    let peakMib = 0;
    while (!isOver) {
      peakMib = Math.max(peakMib, await memoryMib(setup.service.pid));
      const { error } = await setup.service.rpc('task.get', { id: 'small' }, MODEST_KEY);
      if (!tolerated.includes(error?.data?.['code'] as string)) expect(error).toBeUndefined();
    }
    return { peakMib, replies: (await replies).flat() };
  };
  const expectTyped = (replies: readonly RpcReply[]) => {
    const refused = replies.flatMap(({ error }) => (error ? [error.data?.['code'] as string] : []));
    expect(refused.filter((code) => !REFUSALS.includes(code))).toEqual([]);
    const served = replies.flatMap(({ result }) => (result ? [result['attachments'] as { content: string }[]] : []));
    expect(refused.length + served.length).toBe(replies.length);
    expect(served.flat().every(({ content }) => content === BODY)).toBe(true);
  };
  /** Neither store could be read in time: the service says that it does not know. */
  const isUnknown = ({ result }: RpcReply) =>
    result?.['degraded'] === true && (result['attachments'] as []).length === 0;
  const isEmpty = ({ result }: RpcReply) => result !== undefined && (result['attachments'] as []).length === 0;

  /** Again if other work keeps the machine so busy that a list takes longer than the service waits for a store. */
  const withstand = async (attack: () => Promise<readonly RpcReply[][]>, replyCount: number): Promise<void> => {
    let empty: RpcReply[] = [];
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const { peakMib, replies } = await under(attack());
      expectTyped(replies);
      expect(replies).toHaveLength(replyCount);
      expect(peakMib).toBeLessThan(MAX_MEMORY_MIB);
      empty = replies.filter(isEmpty);
      expect(empty.filter((reply) => !isUnknown(reply))).toEqual([]);
      if (empty.length === 0) return;
    }
    expect(empty).toEqual([]);
  };

  it.each(ATTACKS)(`over HTTP $name leave it below ${MAX_MEMORY_MIB} MiB`, ({ messages }) =>
    withstand(() => Promise.all(messages.map(overHttp)), messages.flat().length),
  );

  it.each(ATTACKS)(`over NATS $name leave it below ${MAX_MEMORY_MIB} MiB`, ({ messages }) => {
    const calls = messages.flat().slice(0, 64);
    return withstand(() => Promise.all([Promise.all(calls.map(overNats))]), calls.length);
  });

  it(`over NATS 128 requests of 4 MiB, too large for an attachment, leave it below ${MAX_MEMORY_MIB} MiB`, async () => {
    const params = { taskId: 'large', key: 'k1', type: 'text', content: 'x'.repeat(4 * MIB) };
    const request = Buffer.from(JSON.stringify(params));
    const create = async () => {
      const reply = await client.request('task.create_attachment', request, {
        headers: natsHeaders(KEY),
        timeout: 60_000,
      });
      return reply.json<RpcReply>();
    };
    const { peakMib, replies } = await under(Promise.all([Promise.all(Array.from({ length: 128 }, create))]));
    const codes = replies.map(({ error }) => error?.data?.['code'] as string);
    // What there was room for was read.
    expect(codes).toContain('INVALID_PARAMS');
    expect(codes.filter((code) => code !== 'INVALID_PARAMS' && !REFUSALS.includes(code))).toEqual([]);
    expect(peakMib).toBeLessThan(MAX_MEMORY_MIB);
  });

  it(`over NATS a flood of which nobody awaits the replies leaves it below ${MAX_MEMORY_MIB} MiB, and serving`, async () => {
    const sent = natsHeaders(KEY);
    const flooding = await connect({ servers: nats.url });
    const flood = async () => {
      for (let burst = 0; burst < FLOOD_BURSTS; burst++) {
        for (let i = 0; i < 500; i++) {
          flooding.publish('task.get', '{"id":"large"}', { headers: sent, reply: '_INBOX.nobody' });
        }
        await flooding.flush();
      }
      await flooding.close();
      return [];
    };
    // The connection to NATS paces nothing: on a busy machine the event loop is late, and calls with it.
    const { peakMib } = await under(flood(), ['OVERLOADED', 'TIMEOUT', 'STORE_UNAVAILABLE']);
    expect(peakMib).toBeLessThan(MAX_MEMORY_MIB);
    const serves = async () => {
      const reply = await client.request('task.get', '{"id":"small"}', {
        headers: natsHeaders(MODEST_KEY),
        timeout: 10_000,
      });
      return reply.json<RpcReply>().error === undefined;
    };
    await until('another caller is served again', () => serves().catch(() => false));
  });

  it(`questions of service discovery whose replies nobody awaits leave it below ${MAX_MEMORY_MIB} MiB`, async () => {
    const asking = await connect({ servers: nats.url });
    const flood = async () => {
      for (let i = 0; i < DISCOVERIES; i++) asking.publish('$SRV.INFO', '', { reply: '_INBOX.nobody' });
      await asking.flush();
      await asking.close();
      // The process has received them all.
      await untilServedOverNats(nats.url);
      return [];
    };
    const { peakMib } = await under(flood());
    expect(peakMib).toBeLessThan(MAX_MEMORY_MIB);
    const { text } = await setup.service.fetch('/metrics');
    expect(text).toMatch(/^dossier_nats_requests_dropped_total\{reason="discovery"\} [1-9]/m);
  });

  it(`over HTTP lists whose callers hang up, again and again, leave it below ${MAX_MEMORY_MIB} MiB`, async () => {
    const body = JSON.stringify({ jsonrpc: '2.0', method: 'task.list_attachments', params: list(3)[1], id: 1 });
    const request = rawRequest(body, KEY).repeat(PIPELINED);
    const attack = async () => {
      let last: Socket[] = [];
      for (let wave = 0; wave < WAVES; wave++) {
        const sockets = await Promise.all(Array.from({ length: 16 }, () => openConnection(setup.service.url)));
        await Promise.all(sockets.map((socket) => new Promise((written) => socket.resume().write(request, written))));
        for (const socket of last) socket.destroy();
        last = sockets;
      }
      for (const socket of last) socket.destroy();
      return [];
    };
    const { peakMib } = await under(attack());
    expect(peakMib).toBeLessThan(MAX_MEMORY_MIB);
  });
});

async function memoryMib(pid: number): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)]);
  return Number(stdout) / 1024;
}
