import { setTimeout as sleep } from 'node:timers/promises';
import { EventSource, type ErrorEvent } from 'eventsource';
import { loadRemoteConfig } from '../../app/config';
import type { RemoteConfig } from '../../app/remote-config';
import { DOMAIN_EVENT_TYPES, type DomainEvent } from '../../core/domain/domain-event';
import { isoTime } from '../../core/domain/iso-time';
import { CommandError, EXIT } from '../exit-code';
import type { OutputOptions } from '../output';

export interface EventsOptions extends OutputOptions {
  readonly url?: string;
  readonly task?: string;
  readonly parent?: string;
  /** The position of the event to continue behind. */
  readonly since?: string;
  /** Ends after so many events. */
  readonly limit?: number;
}

const PASSING_STATUSES = [429, 502, 503, 504];
const RETRY_MS = 2000;
const MAX_SHOWN_LENGTH = 500;

/** Prints each event in a line, until it is interrupted. Connects again after an error, and resumes. */
export async function events(options: EventsOptions): Promise<void> {
  const config = loadRemoteConfig(options.url);
  const follower = new Follower(config, options);
  for (let isOver = false; !isOver;) {
    isOver = await follower.untilItEnds();
    if (!isOver) await sleep(RETRY_MS);
  }
}

class Follower {
  private lastEventId: string | undefined;
  private printed = 0;
  private hasConnected = false;
  /** What the service has said in the place of a stream. */
  private refusal = '';

  constructor(
    private readonly config: RemoteConfig,
    private readonly options: EventsOptions,
  ) {
    this.lastEventId = options.since;
  }

  /** True if all that was asked for has been printed; false if the service is unavailable for a while. */
  untilItEnds(): Promise<boolean> {
    const source = new EventSource(this.address(), { fetch: (url, init) => this.fetch(url, init) });
    return new Promise<boolean>((resolve, reject) => {
      source.onopen = () => (this.hasConnected = true);
      for (const type of DOMAIN_EVENT_TYPES) {
        source.addEventListener(type, ({ data, lastEventId }: MessageEvent) => {
          // More of them may have come with the last one that was asked for.
          if (this.printed === this.options.limit) return;
          this.lastEventId = lastEventId;
          this.print(data as string, lastEventId);
          if (this.printed === this.options.limit) resolve(true);
        });
      }
      source.onerror = (error) => {
        const failure = this.failureOf(error);
        if (failure) reject(failure);
        else if (source.readyState === source.CLOSED) resolve(false);
      };
    }).finally(() => source.close());
  }

  private address(): string {
    const { task, parent } = this.options;
    const ids = { taskId: task, parentId: parent, lastEventId: this.lastEventId };
    const query = Object.entries(ids).flatMap(([name, id]) =>
      id === undefined ? [] : [`${name}=${encodeURIComponent(id)}`],
    );
    const address = `${this.config.url}/events`;
    return query.length > 0 ? `${address}?${query.join('&')}` : address;
  }

  private async fetch(url: string | URL, init: RequestInit): Promise<Response> {
    const response = await fetch(url, { ...init, headers: { ...init.headers, ...this.config.headers } });
    if (response.status !== 200) this.refusal = reasonIn(await response.clone().text()).slice(0, MAX_SHOWN_LENGTH);
    return response;
  }

  /** Undefined if it may pass. What has never worked is likely to be a wrong address. */
  private failureOf({ code, message }: ErrorEvent): CommandError | undefined {
    if (code !== undefined && code !== 200) {
      if (this.hasConnected && PASSING_STATUSES.includes(code)) return undefined;
      const exitCode = PASSING_STATUSES.includes(code) ? EXIT.unavailable : EXIT.refused;
      return new CommandError(`${this.config.url}/events: status ${code} ${this.refusal}`, exitCode);
    }
    if (this.hasConnected) return undefined;
    return new CommandError(`${this.config.url}/events: ${message ?? 'cannot be reached'}`, EXIT.unavailable);
  }

  private print(data: string, id: string): void {
    this.printed += 1;
    const line = this.options.json ? withId(data, id) : lineOf(JSON.parse(data) as DomainEvent);
    process.stdout.write(`${line}\n`);
  }
}

/** What the service says of a request that it refuses; what is at a wrong address may say anything. */
function reasonIn(text: string): string {
  try {
    const { detail } = JSON.parse(text) as { detail?: string | readonly { loc: string[]; msg: string }[] };
    if (typeof detail === 'string') return detail;
    if (detail) return detail.map(({ loc, msg }) => `${loc.at(-1)}: ${msg}`).join('; ');
  } catch {
    // It is no reply of the service.
  }
  return text;
}

/** The object as the service has sent it, and before its members the position that `--since` takes. */
function withId(data: string, id: string): string {
  return `{"id":${JSON.stringify(id)},${data.slice(1)}`;
}

function lineOf({ type, payload, timestamp }: DomainEvent): string {
  const { id, taskId, key, text, status } = payload as Readonly<Record<string, string | undefined>>;
  const about = taskId === undefined ? [id, status, text] : [taskId, key];
  const line = [isoTime(timestamp), type, ...about.filter((part) => part !== undefined)].join('  ');
  // The text is whatever a caller has sent: it must not command the terminal.
  return line.replaceAll(/\p{Cc}/gu, '?');
}
