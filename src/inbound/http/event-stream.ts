import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { EventPage } from '../../core/ports/outbox';

export const EVENT_STREAM = 'text/event-stream; charset=utf-8';
const HEADERS = {
  'content-type': EVENT_STREAM,
  'cache-control': 'no-store',
  // Some reverse proxies buffer a response until it is complete.
  'x-accel-buffering': 'no',
};

/** When a reader connects again after the end. */
const RETRY_MS = 1000;

/** Server-sent events on one response. At most one page waits for the reader. */
export class EventStream {
  private sentAtMs = 0;

  constructor(
    private readonly response: ServerResponse,
    /** A reader that takes nothing for this long is disconnected. */
    private readonly patienceMs: number,
  ) {}

  get silentForMs(): number {
    return performance.now() - this.sentAtMs;
  }

  /** Starts the response; the reader learns at once the position to resume from. */
  open(position: string, signal: AbortSignal): Promise<void> {
    this.response.writeHead(200, HEADERS);
    return this.send(comment('following', position), signal);
  }

  /** Also moves the position on for a reader of few events: otherwise it would resume from far back. */
  sendHeartbeat(position: string, signal: AbortSignal): Promise<void> {
    return this.send(comment('heartbeat', position), signal);
  }

  /** The reader connects again, and finds another replica, instead of giving up. */
  end(): void {
    this.response.end(`retry: ${RETRY_MS}\n\n`);
  }

  /** Resolves when more can be sent; rejects when the signal aborts or the reader is too slow. */
  async send(text: string, signal: AbortSignal): Promise<void> {
    this.sentAtMs = performance.now();
    if (this.response.write(text)) return;
    // No AbortSignal.timeout: on Node 20 one that only AbortSignal.any refers to is collected, and never fires.
    const tooSlow = new AbortController();
    const timer = setTimeout(() => tooSlow.abort(), this.patienceMs);
    try {
      await once(this.response, 'drain', { signal: AbortSignal.any([signal, tooSlow.signal]) });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** An event as its readers get it. */
export function blockOf({ event, position }: EventPage['events'][number]): string {
  return `id: ${position}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** A block without data: readers take its id and dispatch nothing. */
function comment(text: string, position: string): string {
  return `: ${text}\nid: ${position}\n\n`;
}
