import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventSource } from 'eventsource';
import { until } from '../support/poll';
import type { Service } from '../support/service';
import { startEmbedded } from './support/start-embedded';

const KEY = { 'x-api-key': 'key-of-a-follower' };
const folder = mkdtempSync(join(tmpdir(), 'dossier-keys-'));

interface StreamedEvent {
  readonly data: string;
  readonly lastEventId: string;
}

let service: Service;
const sources: EventSource[] = [];

beforeAll(async () => {
  const sha256 = createHash('sha256').update(KEY['x-api-key']).digest('hex');
  const entry = { id: 'k', name: 'follower', organization: 'default', role: 'admin', sha256 };
  writeFileSync(join(folder, 'keys.json'), JSON.stringify([entry]));
  service = await startEmbedded({ API_KEYS_FILE: join(folder, 'keys.json') });
});
afterEach(() => sources.splice(0).forEach((source) => source.close()));
afterAll(async () => {
  await service?.kill();
  rmSync(folder, { recursive: true });
});

/** The headers go through its option `fetch`. Resolves when the stream is open. */
async function follow(query = '', headers: Record<string, string> = KEY): Promise<EventSource> {
  const source = new EventSource(`${service.url}/events${query}`, {
    fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }),
  });
  sources.push(source);
  await new Promise<void>((resolve, reject) => {
    source.onopen = () => resolve();
    source.onerror = ({ code, message }) => reject(new Error(`${code} ${message}`));
  });
  return source;
}

function collect(source: EventSource, type: string): StreamedEvent[] {
  const events: StreamedEvent[] = [];
  source.addEventListener(type, (event) => events.push(event as StreamedEvent));
  return events;
}

const createTask = (id: string) => service.result('task.create', { id, text: `задача ${id} 🦊` }, KEY);
const idsOf = (events: readonly StreamedEvent[]) =>
  events.map(({ data }) => (JSON.parse(data) as { payload: { id: string } }).payload.id);

describe('a client of eventsource', () => {
  it('gets the events of the types that it listens for, in order', async () => {
    const created = collect(await follow(), 'task.created');
    for (const id of ['a', 'b', 'c']) await createTask(id);
    await until('three events', () => created.length === 3);
    expect(idsOf(created)).toEqual(['a', 'b', 'c']);
    expect(JSON.parse((created[0] as StreamedEvent).data)).toMatchObject({ payload: { text: 'задача a 🦊' } });
  });

  it('waits for the attachment of one task', async () => {
    const [first, other] = ['waits-1', 'waits-2'];
    await createTask(first);
    await createTask(other);
    const created = collect(await follow(`?taskId=${first}`), 'task.attachment_created');
    for (const taskId of [other, first]) {
      await service.result('task.create_attachment', { taskId, key: 'result', type: 'json', value: 1 }, KEY);
    }
    await until('the event', () => created.length > 0);
    expect(created.map(({ data }) => JSON.parse(data) as unknown)).toMatchObject([
      { payload: { taskId: first, key: 'result' } },
    ]);
  });

  it('resumes after the last event that it has seen', async () => {
    const source = await follow();
    const seen = collect(source, 'task.created');
    await createTask('before');
    await until('the event', () => seen.length === 1);
    source.close();
    await createTask('between');
    const { lastEventId } = seen[0] as StreamedEvent;
    const resumed = collect(await follow(`?lastEventId=${encodeURIComponent(lastEventId)}`), 'task.created');
    await until('the event', () => resumed.length === 1);
    expect(idsOf(resumed)).toEqual(['between']);
  });

  it('is refused without a key, and learns the status', async () => {
    await expect(follow('', {})).rejects.toThrow('401');
  });
});
