import type { Msg, NatsConnection, SubscriptionOptions } from '@nats-io/transport-node';
import { Registry } from 'prom-client';
import { BoundedLog } from '../../../../src/inbound/load/bounded-log';
import { DroppedRequests } from '../../../../src/inbound/nats/dropped-requests';
import { ReplyGuard } from '../../../../src/inbound/nats/reply-guard';

const MESSAGE = { subject: 'task.get', data: new Uint8Array(), _rdata: new Uint8Array(100) };

/** What passes a subscription of the guarded connection, and what the operator sees of the rest. */
function open(inboxPrefix?: string) {
  const registry = new Registry();
  const lines: string[] = [];
  const guard = new ReplyGuard(inboxPrefix, new DroppedRequests(registry), new BoundedLog((line) => lines.push(line)));
  let subscription: SubscriptionOptions | undefined;
  const client = { subscribe: (_subject: string, options: SubscriptionOptions) => void (subscription = options) };
  const callback = jest.fn();
  guard.guard(client as unknown as NatsConnection).subscribe('task.get', { callback, queue: 'dossier' });
  const deliver = async (error: Error | null, message: object) =>
    subscription?.callback?.(error, Object.setPrototypeOf(message, MESSAGE) as Msg);
  const passes = async (reply?: string) => {
    callback.mockClear();
    await deliver(null, { reply });
    return callback.mock.calls.length === 1;
  };
  const dropped = async () =>
    Number(/dropped_total\{reason="reply_subject"\} (\d+)/.exec(await registry.metrics())?.[1]);
  return { passes, deliver, callback, dropped, lines, queue: subscription?.queue };
}

describe('ReplyGuard', () => {
  it.each(['_INBOX.abc', '_INBOX.abc.1', '_INBOX.client_a.abc.1', '', undefined])(
    'a request with the reply subject %p passes',
    async (reply) => {
      const { passes, dropped, lines } = open();
      expect([await passes(reply), await dropped(), lines]).toEqual([true, 0, []]);
    },
  );

  it.each([
    '$JS.API.STREAM.PURGE.TASK_EVENTS',
    '$JS.API.CONSUMER.DELETE.TASK_EVENTS.reader',
    '$SRV.PING',
    '$SYS.REQ.SERVER.PING',
    'task.delete',
    'task.deleted',
    'anything',
    '_INBOX',
    '_INBOX.',
    '_INBOX..a',
    '_INBOX.>',
    '_INBOX.*.1',
    '_INBOXES.a',
    '_inbox.a',
    'inbox.callers.a',
  ])('a request with the reply subject %p is dropped, counted and logged', async (reply) => {
    const { passes, dropped, lines } = open();
    expect(await passes(reply)).toBe(false);
    expect(await dropped()).toBe(1);
    expect(lines).toEqual(['a request to task.get was dropped: its reply subject is not an inbox']);
  });

  it('inboxes may have a prefix of their own', async () => {
    const { passes } = open('inbox.callers');
    expect(await passes('inbox.callers.a')).toBe(true);
    expect(await passes('_INBOX.a')).toBe(true);
    for (const reply of ['inbox.callers', 'inbox.callersx.a', 'inbox.other.a']) expect(await passes(reply)).toBe(false);
  });

  describe.each(['_INBOX.a', undefined, '$SYS.x'])('of a request with the reply subject %p', (reply) => {
    const refuse = () => {
      throw new Error("'header' ' ' is not a valid character in a header name");
    };

    it('malformed headers count as none, and do not end the connection', async () => {
      const { deliver, callback } = open();
      await deliver(null, Object.defineProperty({ reply }, 'headers', { get: refuse }));
      for (const [, received] of callback.mock.calls as [unknown, Msg][]) expect(received.headers).toBeUndefined();
      expect(callback).toHaveBeenCalledTimes(reply === '$SYS.x' ? 0 : 1);
    });

    it('headers that are too large are never read', async () => {
      const { deliver } = open();
      const read = jest.fn();
      await deliver(null, Object.defineProperty({ reply, _rdata: new Uint8Array(9000) }, 'headers', { get: read }));
      expect(read).not.toHaveBeenCalled();
    });
  });

  it('many dropped requests give one line', async () => {
    const { passes, dropped, lines } = open();
    for (let i = 0; i < 100; i++) await passes('$SYS.x');
    expect([await dropped(), lines.length]).toEqual([100, 1]);
  });

  it('the subscription keeps its options, and learns its errors', async () => {
    const { deliver, callback, queue } = open();
    const error = new Error('permissions violation');
    await deliver(error, {});
    expect(callback).toHaveBeenCalledWith(error, expect.anything());
    expect(queue).toBe('dossier');
  });
});
