import { urlOf } from './description.js';

/** @import { Credential } from './credential.js' */

/**
 * @typedef {object} Listener
 * @property {(data: string) => void} event JSON text of an event
 * @property {(text: string, isOpen: boolean) => void} state what is going on, for people
 */

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 10_000;

/** Reads `GET /events` as an EventSource does, and sends a credential, which an EventSource cannot. */
export class EventStream {
  /**
   * @param {string} taskId empty for the events of all tasks
   * @param {Credential} credential
   * @param {Listener} listener
   */
  constructor(taskId, credential, listener) {
    this.url = urlOf('events');
    if (taskId !== '') this.url.searchParams.set('taskId', taskId);
    this.credential = credential;
    this.listener = listener;
    this.stopping = new AbortController();
    this.lastEventId = '';
    this.pauseMs = FIRST_PAUSE_MS;
  }

  /** Until it is stopped, or refused. Never rejects. */
  async follow() {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        const refusal = await this.read();
        if (refusal !== undefined) return this.listener.state(refusal, false);
      } catch {
        // The connection is lost. The stream goes on after the last event.
      }
      if (signal.aborted) return;
      this.listener.state('Connecting again…', true);
      await new Promise((resolve) => setTimeout(resolve, this.pauseMs));
      this.pauseMs = Math.min(2 * this.pauseMs, LONGEST_PAUSE_MS);
    }
  }

  stop() {
    this.stopping.abort();
    this.listener.state('Stopped', false);
  }

  /** @returns {Promise<string | undefined>} why the service refuses it; undefined if the stream has ended */
  async read() {
    const { url, credential, lastEventId, stopping } = this;
    const headers = new Headers({ accept: 'text/event-stream', ...credential.headers });
    if (lastEventId !== '') headers.set('last-event-id', lastEventId);
    const response = await fetch(url, { headers, signal: stopping.signal, cache: 'no-store' });
    if (response.status >= 500) return undefined;
    if (response.status === 401) credential.refused();
    if (!response.ok || !response.body) return refusalOf(response);
    this.listener.state('Following', true);
    this.pauseMs = FIRST_PAUSE_MS;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += part.value;
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) this.take(block);
    }
    return undefined;
  }

  /** @param {string} block of lines */
  take(block) {
    const fields = new Map(block.split('\n').map((line) => [line.split(':', 1)[0], line.replace(/^[^:]*: ?/, '')]));
    this.lastEventId = fields.get('id') ?? this.lastEventId;
    const data = fields.get('data');
    if (data !== undefined) this.listener.event(data);
  }
}

/** @param {Response} response */
async function refusalOf(response) {
  /** @type {{ detail?: string | { loc: string[], msg: string }[] }} */
  const { detail } = await response.json().catch(() => ({}));
  const reason = Array.isArray(detail) ? detail.map(({ loc, msg }) => `${loc.at(-1)} ${msg}`).join('; ') : detail;
  return `${response.status} ${reason ?? response.statusText}`;
}
