import type { DomainEvent } from '../../src/core/domain/domain-event';
import { checkEvent } from './described-replies';
import { until } from './poll';

export interface ServerSentEvent {
  readonly id: string;
  readonly name: string;
  readonly data: DomainEvent;
}

export interface EventReaderOptions {
  readonly query?: string;
  readonly lastEventId?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Reads server-sent events as a browser does. */
export class EventReader {
  lastEventId?: string;
  /** Resolves when the stream has ended, in order or by a broken connection. */
  readonly ended: Promise<void>;
  /** In their order. */
  readonly received: ServerSentEvent[] = [];

  private constructor(
    readonly headers: Headers,
    body: ReadableStream<Uint8Array>,
    private readonly aborter: AbortController,
  ) {
    this.ended = this.read(body).catch(() => undefined);
  }

  /** Resolves when the stream has begun: all later events are received. */
  static async open(url: string, options: EventReaderOptions = {}): Promise<EventReader> {
    const aborter = new AbortController();
    const headers = { ...options.headers };
    if (options.lastEventId !== undefined) headers['last-event-id'] = options.lastEventId;
    const response = await fetch(`${url}/events${options.query ?? ''}`, { headers, signal: aborter.signal });
    if (response.status !== 200 || !response.body) throw new Error(`GET /events answered ${response.status}`);
    const reader = new EventReader(response.headers, response.body, aborter);
    try {
      await until('the stream begins', () => reader.lastEventId);
      return reader;
    } catch (error) {
      reader.close();
      throw error;
    }
  }

  /** The first `count` events. Throws if one of them is not as it is described. */
  async events(count: number): Promise<readonly ServerSentEvent[]> {
    await until(`${count} events`, () => this.received.length >= count);
    for (const { data } of this.received) checkEvent(data);
    return this.received.slice(0, count);
  }

  close(): void {
    this.aborter.abort();
  }

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() as string;
      blocks.forEach((block) => this.receive(block));
    }
  }

  private receive(block: string): void {
    const fields = new Map(block.split('\n').map((line) => line.split(/: (.*)/s, 2) as [string, string]));
    this.lastEventId = fields.get('id') ?? this.lastEventId;
    const data = fields.get('data');
    if (data === undefined) return;
    this.received.push({
      id: this.lastEventId as string,
      name: fields.get('event') as string,
      data: JSON.parse(data) as DomainEvent,
    });
  }
}
