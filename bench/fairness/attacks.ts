import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { connect } from '@nats-io/transport-node';
import { natsHeaders } from '../../test/support/nats-headers';
import { keyOf } from '../../test/support/organization-keys';
import { rawRequest } from '../../test/support/raw-http';
import { batchOf, type Organization } from './organization';

/** What an attacker has. */
export interface Scene {
  readonly url: string;
  readonly nats: string;
  readonly organization: string;
  /** The id of an event, before which there are none. */
  readonly firstEvent: string;
}

/** What one organisation does again and again, `loops` times at once. */
interface Attack {
  readonly name: string;
  readonly loops: number;
  readonly run: (attacker: Organization, scene: Scene) => Promise<unknown>;
}

/** As a batch it has too many calls to be refused one by one. */
const COSTLY_JSON = JSON.stringify(Array.from({ length: 300_000 }, () => ({})));
/** What takes longest to parse: each object has a name of its own. */
const COSTLY_VALUE = `[${Array.from({ length: 90_000 }, (_, i) => `{"${i}":0}`).join(',')}]`;
/** Of bodies that are sent as fast as they are taken. */
const PART = Buffer.alloc(256 * 1024, ' ');
const CHUNK_OF_300_BYTES = `12c\r\n${' '.repeat(300)}\r\n`.repeat(200);
/** Long enough for the reply, and then the connection is another one. */
const BODY_MS = 2000;
/** Too short for the reply. */
const CUT_OFF_MS = 15;

const KEYS = 1000;

let lastKey = 0;

function nextKey(): string {
  lastKey = (lastKey + 1) % KEYS;
  return `key-${lastKey}`;
}

export const ATTACKS: readonly Attack[] = [
  { name: 'alone', loops: 0, run: () => Promise.resolve() },
  { name: 'a hot key, 64 writers', loops: 64, run: (a) => a.put('hot', 'hot', 'x') },
  { name: 'puts of many keys, 200 writers', loops: 200, run: (a) => a.put('hot', nextKey(), 'x') },
  {
    name: 'lists by type of 10,000, 200 at a time',
    loops: 200,
    run: (a) => a.call('task.list_attachments', { taskId: 'many', type: 'json', limit: 20 }),
  },
  { name: 'own key overloaded, 100 writes at once', loops: 1, run: (a) => a.all(100, () => a.put('hot', 'hot', 'x')) },
  {
    name: 'batches of 50 lists of 100 × 1 MiB',
    loops: 4,
    run: (a) => a.send(50, () => ['task.list_attachments', { taskId: 'large', limit: 100 }]),
  },
  {
    name: '30 loops of /events from the beginning',
    loops: 30,
    run: (a, { firstEvent }) => a.firstEvents(`?lastEventId=${firstEvent}`),
  },
  { name: 'JSON values of 1 MiB of small objects', loops: 4, run: (a) => a.putJson('hot', 'objects', COSTLY_VALUE) },
  { name: 'messages of 300,000 empty objects', loops: 4, run: (a) => a.post(COSTLY_JSON) },
  { name: 'batches of 90 gets, 32 at a time', loops: 32, run: (a) => a.send(90, () => ['task.get', { id: 'hot' }]) },
  {
    name: 'task.list behind 14,000 others, 24 at a time',
    loops: 24,
    run: (a) => a.call('task.list', { offset: 14_000, limit: 100, orderBy: 'updatedAt' }),
  },
  { name: 'bodies of 8 MB, 48 connections', loops: 48, run: (_, scene) => sendBody(scene, 8_000_000, PART) },
  { name: 'bodies that are refused, 48 connections', loops: 48, run: (_, scene) => sendBody(scene, 1e12, PART) },
  {
    name: 'the same without a credential',
    loops: 48,
    run: (_, scene) => sendBody({ ...scene, organization: 'nobody' }, 1e12, PART),
  },
  {
    name: 'chunks of 300 bytes, 48 connections',
    loops: 48,
    run: (_, scene) => sendBody(scene, undefined, CHUNK_OF_300_BYTES),
  },
  { name: 'batches of 100 puts that are cut off, 48 connections', loops: 48, run: (_, scene) => cutOff(scene) },
  { name: 'NATS requests as fast as they go, one connection', loops: 1, run: (_, scene) => floodNats(scene) },
  { name: 'the deletion of 14,000 sub-tasks', loops: 1, run: (a) => a.call('task.delete', { id: 'tree' }) },
];

/** Of so many bytes, or in chunks until the connection ends. Does not await the reply. */
async function sendBody({ url, organization }: Scene, bytes: number | undefined, part: Buffer | string): Promise<void> {
  const { hostname, port } = new URL(url);
  const framing = bytes === undefined ? 'transfer-encoding: chunked' : `content-length: ${bytes}`;
  const socket = connectSocket(Number(port), hostname).on('error', () => undefined);
  const over = setTimeout(() => socket.destroy(), BODY_MS);
  socket.write(`POST /rpc HTTP/1.1\r\nhost: x\r\nx-api-key: ${keyOf(organization)['x-api-key']}\r\n${framing}\r\n\r\n`);
  socket.resume();
  const closed = once(socket, 'close');
  for (let sent = 0; sent < (bytes ?? Infinity) && !socket.destroyed; sent += part.length) {
    if (!socket.write(part)) await Promise.race([once(socket, 'drain').catch(() => undefined), closed]);
  }
  await closed;
  clearTimeout(over);
}

/** A connection that closes soon after its request was sent. */
async function cutOff({ url, organization }: Scene): Promise<void> {
  const { hostname, port } = new URL(url);
  let key = 0;
  const put = () =>
    ['task.create_attachment', { taskId: 'hot', key: `k${key++}`, type: 'text', content: 'x' }] as const;
  const socket = connectSocket(Number(port), hostname).on('error', () => undefined);
  socket.resume().write(rawRequest(batchOf(100, put), keyOf(organization)));
  await new Promise((wake) => setTimeout(wake, CUT_OFF_MS));
  socket.destroy();
}

async function floodNats({ nats, organization }: Scene): Promise<void> {
  const client = await connect({ servers: nats });
  const headers = natsHeaders(keyOf(organization));
  const endsAtMs = performance.now() + BODY_MS;
  while (performance.now() < endsAtMs) {
    for (let i = 0; i < 1000; i++) {
      client.publish('task.get', '{"id":"hot"}', { headers, reply: '_INBOX.nobody' });
    }
    await client.flush();
  }
  await client.close();
}
