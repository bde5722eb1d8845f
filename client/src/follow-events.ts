import { delayMs, retryAfterMs, type Backoff, type Random } from './backoff.ts';
import { credentialHeaders, type Credential } from './credential.ts';
import { orAborted, sleep } from './deadline.ts';
import { ConnectionError, ResponseError } from './dossier-error.ts';
import type { DossierEvent } from './generated/events.ts';
import { latin1, type BodyReader, type Fetch, type FetchResponse } from './http-transport.ts';
import { SseParser, type SseBlock } from './sse-parser.ts';

/** Which events to follow. Only one of `taskId` and `parentId` may be given; neither: all of the organisation. */
export interface EventsOptions {
  readonly taskId?: string | undefined;
  /** The events of this task and of its sub-tasks. */
  readonly parentId?: string | undefined;
  /** Continues behind the event with this `id`. Undefined: begins now. */
  readonly lastEventId?: string | undefined;
  /** Is called once, when the first connection stands: whatever happens from then on is among the events. */
  readonly onOpen?: (() => void) | undefined;
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined;
}

/** An event, and the position to resume from behind it. */
export type ReceivedEvent = DossierEvent & { readonly id: string };

export interface EventsSource {
  /** Of `GET /events`. */
  readonly url: string;
  readonly credential: Credential;
  readonly fetch: Fetch;
  readonly random: Random;
  /** How often the first connection is tried again. Once there was one, it is renewed for ever. */
  readonly retries: number;
  /** The service sends something every 15 seconds: after a longer silence the connection is taken for broken. */
  readonly silenceMs?: number;
}

const SILENCE_MS = 45_000;
const BACKOFF: Backoff = { firstMs: 1000, longestMs: 30_000 };
const TOO_MANY_REQUESTS = 429;

/** Connects again after the end or a failure, and resumes. Throws `ResponseError` if the service refuses. */
export async function* followEvents(source: EventsSource, options: EventsOptions): AsyncGenerator<ReceivedEvent, void> {
  const over = new AbortController();
  const end = () => over.abort();
  options.signal?.addEventListener('abort', end);
  if (options.signal?.aborted) end();
  const stream = new ResumedStream(source, options, over.signal);
  try {
    while (!over.signal.aborted) yield* stream.untilItEnds();
  } catch (error) {
    if (!over.signal.aborted) throw error;
  } finally {
    options.signal?.removeEventListener('abort', end);
    end();
  }
}

class ResumedStream {
  private lastEventId: string | undefined;
  private hasConnected = false;
  /** In a row. */
  private failures = 0;

  constructor(
    private readonly source: EventsSource,
    private readonly options: EventsOptions,
    private readonly signal: AbortSignal,
  ) {
    this.lastEventId = options.lastEventId;
  }

  /** The events of one connection; then waits until it is time for the next one. */
  async *untilItEnds(): AsyncGenerator<ReceivedEvent, void> {
    const connection = new Connection(this.source.silenceMs ?? SILENCE_MS, this.signal);
    let askedForMs: number | undefined;
    try {
      const response = await connection.open(this.source, this.options, this.lastEventId);
      askedForMs = retryAfterMs(response.headers.get('retry-after'));
      await refuseUnlessStream(response, connection);
      if (!this.hasConnected) this.options.onOpen?.();
      this.hasConnected = true;
      for await (const block of connection.blocks(response)) {
        this.failures = 0;
        if (block.id !== undefined) this.lastEventId = block.id;
        askedForMs = block.retryMs ?? askedForMs;
        if (block.data !== undefined) yield { ...(JSON.parse(block.data) as DossierEvent), id: this.lastEventId ?? '' };
      }
    } catch (error) {
      if (this.signal.aborted || !isPassing(error)) throw error;
      if (!this.hasConnected && this.failures >= this.source.retries) throw error;
    } finally {
      connection.close();
    }
    this.failures += 1;
    await sleep(delayMs(this.failures, BACKOFF, this.source.random, askedForMs), this.signal);
  }
}

/** One request. */
class Connection {
  private readonly controller = new AbortController();
  private readonly abort = () => this.controller.abort(this.over.reason);
  private timer?: ReturnType<typeof setTimeout>;

  constructor(
    private readonly silenceMs: number,
    private readonly over: AbortSignal,
  ) {
    over.addEventListener('abort', this.abort);
  }

  async open(
    { url, credential, fetch }: EventsSource,
    { taskId, parentId }: EventsOptions,
    lastEventId: string | undefined,
  ): Promise<FetchResponse> {
    const query = Object.entries({ taskId, parentId }).flatMap(([name, id]) =>
      id === undefined ? [] : [`${name}=${encodeURIComponent(id)}`],
    );
    const headers = {
      accept: 'text/event-stream',
      ...latin1(await credentialHeaders(credential)),
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    };
    const init = { method: 'GET', headers, signal: this.controller.signal };
    return this.orBroken(fetch(query.length > 0 ? `${url}?${query.join('&')}` : url, init));
  }

  async *blocks({ body }: FetchResponse): AsyncGenerator<SseBlock, void> {
    const reader = body?.getReader();
    const parser = new SseParser();
    const decoder = new TextDecoder();
    for (;;) {
      const read: Read | undefined = reader && (await this.orBroken(reader.read()));
      if (!read || read.done) return;
      yield* parser.push(decoder.decode(read.value, { stream: true }));
    }
  }

  /** Turns what has broken the connection into an error of the client. */
  async orBroken<T>(work: Promise<T>): Promise<T> {
    this.watchForSilence();
    try {
      return await orAborted(work, this.controller.signal);
    } catch (cause) {
      if (this.over.aborted) throw cause;
      throw cause instanceof ConnectionError ? cause : new ConnectionError('the stream of events broke off', { cause });
    } finally {
      // Not while the caller is busy with an event.
      clearTimeout(this.timer);
    }
  }

  close(): void {
    this.over.removeEventListener('abort', this.abort);
    this.controller.abort();
  }

  private watchForSilence(): void {
    const silent = () => this.controller.abort(new ConnectionError(`nothing has come for ${this.silenceMs} ms`));
    this.timer = setTimeout(silent, this.silenceMs);
  }
}

type Read = Awaited<ReturnType<BodyReader['read']>>;

async function refuseUnlessStream(response: FetchResponse, connection: Connection): Promise<void> {
  const { status } = response;
  if (status === 200 && response.headers.get('content-type')?.startsWith('text/event-stream')) return;
  const text = await connection.orBroken(response.text());
  throw new ResponseError(status, `GET /events: status ${status} ${text.slice(0, MAX_SHOWN_LENGTH)}`.trimEnd());
}

/** Of what a proxy may have sent in the place of an event stream. */
const MAX_SHOWN_LENGTH = 500;

function isPassing(error: unknown): boolean {
  if (error instanceof ResponseError) return error.status >= 500 || error.status === TOO_MANY_REQUESTS;
  return error instanceof ConnectionError;
}
