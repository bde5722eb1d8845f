import { setTimeout as sleep } from 'node:timers/promises';
import { EventReader } from '../support/event-reader';
import { until } from '../support/poll';
import type { Environment } from '../support/service';
import type { Replica } from '../faults/replica-group';
import { checkEvent } from '../support/described-replies';
import type { Witness } from './witness';

const RETRY_MS = 250;

/** Follows the events of an organisation through all that happens, as a client does: it resumes at whichever replica. */
export class Follower {
  private readonly ids = new Set<string>();
  private readonly stopped = new AbortController();
  private reader?: EventReader;
  private lastEventId?: string;
  private work: Promise<void> = Promise.resolve();
  /** How often it began to follow. */
  connections = 0;

  constructor(
    private readonly replicas: readonly Replica[],
    private readonly headers: () => Promise<Environment> | Environment,
    private readonly witness: Witness,
  ) {}

  start(): void {
    this.work = this.follow();
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    this.reader?.close();
    await this.work;
  }

  /** Resolves when it follows: all later events are received. */
  async hasBegun(): Promise<void> {
    await until('the follower follows', () => this.reader !== undefined);
  }

  /** Those that it has not been told of. */
  missing(ids: readonly string[]): string[] {
    this.take();
    return ids.filter((id) => !this.ids.has(id));
  }

  get count(): number {
    this.take();
    return this.ids.size;
  }

  private async follow(): Promise<void> {
    for (let turn = 0; !this.stopped.signal.aborted; turn++) {
      const replica = this.replicas[turn % this.replicas.length] as Replica;
      if (replica.takesCalls) await this.followAt(replica).catch((error: Error) => this.judge(error));
      if (!this.stopped.signal.aborted) await sleep(RETRY_MS);
    }
  }

  private async followAt({ service }: Replica): Promise<void> {
    const { lastEventId } = this;
    this.reader = await EventReader.open(service.url, { lastEventId, headers: await this.headers() });
    this.connections++;
    if (this.stopped.signal.aborted) this.reader.close();
    await this.reader.ended;
    this.take();
    this.lastEventId = this.reader.lastEventId;
  }

  /** Unreachable and unavailable replicas are tried again; anything else says that the reader is at fault. */
  private judge({ message }: Error): void {
    const [, status] = /GET \/events answered (\d+)/.exec(message) ?? [];
    if (status !== undefined && status !== '503') this.witness.note(`GET /events: status ${status}`);
  }

  private take(): void {
    for (const { data } of this.reader?.received.splice(0) ?? []) {
      try {
        checkEvent(data);
      } catch (error) {
        this.witness.note('an event is not as it is described', (error as Error).message);
      }
      this.ids.add(data.metadata.eventId);
    }
  }
}
