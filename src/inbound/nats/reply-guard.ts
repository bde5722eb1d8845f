import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { Counter, type Registry } from 'prom-client';
import type { BoundedLog } from '../load/bounded-log';
import { natsIds } from './nats-origin';
import { withReadableHeaders } from './readable-headers';

/** The prefix that every client library uses unless it is told otherwise. */
const DEFAULT_PREFIX = '_INBOX';
const WHOLE_SUBJECT = /^[^\s.*>]+(?:\.[^\s.*>]+)+$/;

/**
 * A reply goes to the subject that the request names, with the rights of this service: a client could name a subject of
 * JetStream and so delete the events. Only a message that wants its reply in an inbox, or none at all, passes.
 */
export class ReplyGuard {
  private readonly prefixes: readonly string[];
  private readonly dropped: Counter<'reason'>;

  constructor(
    inboxPrefix: string | undefined,
    registry: Registry,
    private readonly log: BoundedLog,
  ) {
    this.prefixes = [DEFAULT_PREFIX, ...(inboxPrefix === undefined ? [] : [inboxPrefix])].map((name) => `${name}.`);
    this.dropped = new Counter({
      name: 'dossier_nats_requests_dropped_total',
      help: 'NATS requests that were dropped before they were read, by reason. Sum over replicas.',
      labelNames: ['reason'],
      registers: [registry],
    });
    this.dropped.inc({ reason: 'reply_subject' }, 0);
  }

  /** The connection, with subscriptions that receive only what passes; those of the library for discovery, too. */
  guard(client: NatsConnection): NatsConnection {
    const subscribe: NatsConnection['subscribe'] = (subject, { callback, ...options } = {}) =>
      client.subscribe(subject, {
        ...options,
        callback: (error, message) => {
          if (error) return void callback?.(error, message);
          // Before anything else: an exception here would end the connection, and with it every request under way.
          const readable = withReadableHeaders(message);
          if (this.passes(readable)) void callback?.(null, readable);
        },
      });
    return Object.create(client, { subscribe: { value: subscribe } }) as NatsConnection;
  }

  private passes(message: Msg): boolean {
    const { subject, reply } = message;
    if (reply === undefined || reply === '' || this.isInbox(reply)) return true;
    this.dropped.inc({ reason: 'reply_subject' });
    this.log.add(`a request to ${subject} was dropped: its reply subject is not an inbox`, natsIds(message.headers));
    return false;
  }

  private isInbox(subject: string): boolean {
    return this.prefixes.some((prefix) => subject.startsWith(prefix)) && WHOLE_SUBJECT.test(subject);
  }
}
