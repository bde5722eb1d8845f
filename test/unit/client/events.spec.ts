import {
  DossierClient,
  ResponseError,
  type ClientOptions,
  type ReceivedEvent,
} from '../../../client/src/dossier-client';
import { followEvents } from '../../../client/src/follow-events';
import { SseParser } from '../../../client/src/sse-parser';

interface Request {
  readonly atMs: number;
  readonly url: string;
  readonly headers: Record<string, string>;
}

/** A response in pieces; without `end` the stream stays open. */
interface Stream {
  readonly pieces: readonly string[];
  readonly end?: 'ends' | 'breaks';
}

const block = (id: string, type = 'task.created') =>
  `id: ${id}\nevent: ${type}\ndata: {"type":"${type}","payload":{"id":"t"},"metadata":{"eventId":"${id}"},"timestamp":1}\n\n`;

function responseOf({ pieces, end }: Stream): Response {
  const left = [...pieces];
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const piece = left.shift();
    if (piece !== undefined) controller.enqueue(new TextEncoder().encode(piece));
    else if (end === 'ends') controller.close();
    else if (end === 'breaks') controller.error(new TypeError('terminated'));
    else return new Promise<void>(() => undefined);
    return undefined;
  };
  const body = new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 });
  return new Response(body, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } });
}

/** A client whose requests get these responses, one after the other; after the last one nothing comes any more. */
function clientOf(...responses: readonly (Response | Error)[]) {
  const requests: Request[] = [];
  const fetch: ClientOptions['fetch'] = (url, { headers }) => {
    const response = responses[requests.length];
    requests.push({ atMs: Date.now(), url, headers });
    if (response instanceof Error) return Promise.reject(response);
    return response ? Promise.resolve(response) : new Promise(() => undefined);
  };
  const options = { url: 'http://service', fetch, random: () => 0 };
  return { client: new DossierClient({ ...options, apiKey: 'key' }), requests, options };
}

/** Lets time pass quickly until it is done. */
async function soon<T>(work: Promise<T>): Promise<T> {
  let isDone = false;
  const end = () => (isDone = true);
  work.then(end, end);
  while (!isDone) await jest.advanceTimersByTimeAsync(1000);
  return work;
}

/** The ids of the first `count` events. */
function idsOf(events: AsyncIterable<ReceivedEvent>, count: number): Promise<string[]> {
  const read = async () => {
    const ids: string[] = [];
    for await (const { id } of events) if (ids.push(id) === count) break;
    return ids;
  };
  return soon(read());
}

describe('events', () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] }));
  afterEach(() => jest.useRealTimers());

  it('are those of the stream, with their positions', async () => {
    const pieces = [
      ': following\nid: 0\n\n',
      block('1'),
      `${block('2')}${block('3').slice(0, 20)}`,
      block('3').slice(20),
    ];
    const { client, requests } = clientOf(responseOf({ pieces }));
    const received: ReceivedEvent[] = [];
    for await (const event of client.events({ taskId: 'a b' })) if (received.push(event) === 3) break;
    expect(received.map(({ id, metadata }) => [id, metadata.eventId])).toEqual([
      ['1', '1'],
      ['2', '2'],
      ['3', '3'],
    ]);
    expect(requests).toMatchObject([
      { url: 'http://service/events?taskId=a%20b', headers: { accept: 'text/event-stream', 'x-api-key': 'key' } },
    ]);
  });

  it('continue after the end of a connection, behind the last position', async () => {
    const ended = responseOf({ pieces: [block('1'), 'retry: 5000\n\n'], end: 'ends' });
    const broken = responseOf({
      pieces: [block('2'), ': heartbeat\nid: 2b\n\n', block('never').slice(0, 30)],
      end: 'breaks',
    });
    const { client, requests } = clientOf(ended, broken, responseOf({ pieces: [block('3')] }));
    const onOpen = jest.fn(() => expect(requests).toHaveLength(1));
    expect(await idsOf(client.events({ lastEventId: '0', onOpen }), 3)).toEqual(['1', '2', '3']);
    expect(onOpen).toHaveBeenCalledTimes(1);
    expect(requests.map(({ headers }) => headers['last-event-id'])).toEqual(['0', '1', '2b']);
  });

  it('wait for as long as the service asks for', async () => {
    const ended = responseOf({ pieces: ['retry: 7000\n\n'], end: 'ends' });
    const busy = new Response('', { status: 503, headers: { 'retry-after': '20' } });
    const { client, requests } = clientOf(ended, busy, responseOf({ pieces: [block('1')] }));
    const startMs = Date.now();
    expect(await idsOf(client.events(), 1)).toEqual(['1']);
    expect(requests.map(({ atMs }) => Math.round((atMs - startMs) / 1000))).toEqual([0, 7, 27]);
  });

  it('come over a new connection if nothing has come for long', async () => {
    const { options, requests } = clientOf(responseOf({ pieces: [block('1')] }), responseOf({ pieces: [block('2')] }));
    const source = { ...options, url: 'http://service/events', credential: {}, retries: 0, silenceMs: 20_000 };
    expect(await idsOf(followEvents(source, {}), 2)).toEqual(['1', '2']);
    expect(requests[1]?.headers['last-event-id']).toBe('1');
  });

  it('end when the signal aborts, whatever is being waited for', async () => {
    const controller = new AbortController();
    const { client } = clientOf(responseOf({ pieces: [block('1')] }));
    const received: string[] = [];
    for await (const { id } of client.events({ signal: controller.signal })) {
      received.push(id);
      setImmediate(() => controller.abort());
    }
    for await (const { id } of client.events({ signal: controller.signal })) received.push(id);
    expect(received).toEqual(['1']);

    const between = new AbortController();
    const { client: waiting } = clientOf(responseOf({ pieces: ['retry: 1000000\n\n'], end: 'ends' }));
    setTimeout(() => between.abort(), 1000);
    expect(await idsOf(waiting.events({ signal: between.signal }), 1)).toEqual([]);
  });

  it.each([400, 401, 403, 404])('fail if the service refuses them with %d', async (status) => {
    const detail = [{ loc: ['query', 'lastEventId'], msg: 'is not one of this service' }];
    const refusal = Response.json({ detail }, { status });
    const { client } = clientOf(responseOf({ pieces: [block('1')], end: 'ends' }), refusal);
    const events = client.events();
    expect((await events.next()).value).toMatchObject({ id: '1' });
    const failure = await soon(events.next().catch((error: unknown) => error));
    expect(failure).toBeInstanceOf(ResponseError);
    expect(failure).toMatchObject({ status, message: expect.stringContaining('lastEventId') as unknown });
  });

  it('fail if another page than the stream comes', async () => {
    const { client } = clientOf(new Response('<h1>', { headers: { 'content-type': 'text/html' } }));
    await expect(client.events().next()).rejects.toThrow('GET /events: status 200 <h1>');
  });

  it('fail if the service cannot be reached at the beginning, and wait for it afterwards', async () => {
    const down = () => new TypeError('fetch failed');
    const { client, requests } = clientOf(down(), down(), down(), down(), down());
    await expect(soon(client.events().next())).rejects.toMatchObject({
      name: 'ConnectionError',
      cause: { message: 'fetch failed' },
    });
    expect(requests).toHaveLength(4);

    const once = responseOf({ pieces: [block('1')], end: 'ends' });
    const failures = Array.from({ length: 10 }, down);
    const { client: patient } = clientOf(once, ...failures, responseOf({ pieces: [block('2')] }));
    expect(await idsOf(patient.events(), 2)).toEqual(['1', '2']);
  });
});

describe('SseParser', () => {
  it.each(['\n', '\r\n', '\r'])('reads blocks whose lines end with %p, however the text is cut', (lineEnd) => {
    const text = [
      '\uFEFF: comment',
      'id: 1',
      'event: x',
      'data: a',
      'data:b',
      'data',
      '',
      'retry: 10',
      '',
      'id',
      '',
      '',
      '',
    ].join(lineEnd);
    for (let size = 1; size <= text.length; size++) {
      const parser = new SseParser();
      const blocks = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
        text.slice(i * size, (i + 1) * size),
      );
      expect(blocks.flatMap((piece) => parser.push(piece))).toEqual([
        { id: '1', data: 'a\nb\n' },
        { retryMs: 10 },
        { id: '' },
      ]);
    }
  });

  it('ignores fields that mean nothing, and ids with a NUL', () => {
    expect(new SseParser().push('id: a\0b\nretry: soon\nmeaning: none\ndata: x\n\n')).toEqual([{ data: 'x' }]);
  });
});
