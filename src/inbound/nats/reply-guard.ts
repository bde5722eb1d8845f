import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { BoundedLog } from '../load/bounded-log';
import { DiscoveryReplies } from './discovery-replies';
import type { DroppedRequests } from './dropped-requests';
import { natsIds } from './nats-origin';
import { ReadingInTurns } from './reading-in-turns';
import { withReadableHeaders } from './readable-headers';

/** The prefix that every client library uses unless it is told otherwise. */
const DEFAULT_PREFIX = '_INBOX';
/** Of what the service library answers by itself. */
const DISCOVERY_PREFIX = '$SRV.';
const WHOLE_SUBJECT = /^[^\s.*>]+(?:\.[^\s.*>]+)+$/;

/**
 * A reply goes to the subject that the request names, with the rights of this service: a client could name a subject of
 * JetStream and so delete the events. Only a message that wants its reply in an inbox, or none at all, passes.
 */
export class ReplyGuard {
  private readonly prefixes: readonly string[];

  constructor(
    inboxPrefix: string | undefined,
    private readonly dropped: DroppedRequests,
    private readonly log: BoundedLog,
  ) {
    this.prefixes = [DEFAULT_PREFIX, ...(inboxPrefix === undefined ? [] : [inboxPrefix])].map((name) => `${name}.`);
  }

  /**
   * The connection, with subscriptions that receive only what passes, and no more at once than can be handled; those of
   * the library for discovery, too.
   */
  guard(client: NatsConnection): NatsConnection {
    const reading = new ReadingInTurns(client);
    const discovery = new DiscoveryReplies(client);
    const subscribe: NatsConnection['subscribe'] = (subject, { callback, ...options } = {}) =>
      client.subscribe(subject, {
        ...options,
        callback: (error, message) => {
          if (error) return void callback?.(error, message);
          reading.noteMessage();
          // Before anything else: an exception here would end the connection, and with it every request under way.
          const readable = withReadableHeaders(message);
          if (!this.passes(readable)) return;
          const take = () => void callback?.(null, readable);
          if (!subject.startsWith(DISCOVERY_PREFIX)) take();
          else if (!discovery.add(take)) this.dropped.count('discovery');
        },
      });
    return Object.create(client, { subscribe: { value: subscribe } }) as NatsConnection;
  }

  private passes(message: Msg): boolean {
    const { subject, reply } = message;
    if (reply === undefined || reply === '' || this.isInbox(reply)) return true;
    this.dropped.count('reply_subject');
    this.log.add(`a request to ${subject} was dropped: its reply subject is not an inbox`, natsIds(message.headers));
    return false;
  }

  private isInbox(subject: string): boolean {
    return this.prefixes.some((prefix) => subject.startsWith(prefix)) && WHOLE_SUBJECT.test(subject);
  }
}
