import { until } from '../../support/poll';
import type { RpcError, Service } from '../../support/service';
import type { WireAttachment, WireAttachmentPage } from '../../support/wire-values';
import type { Call, Client } from './client';

const TASK = 'clients';
const MAX_CALLS = 100;
/** A library may wait for ever for a call whose id does not come back. */
const BATCH_TIMEOUT_MS = 30_000;
const MEBIBYTE = 1024 * 1024;

/** What a document of an agent may look like: several scripts, escapes, falsy values, numbers of every size. */
const JSON_VALUE = {
  'ключ "в кавычках"': 'значение\\с\nпереносом\u2028и\tтабуляцией',
  日本語: ['😀👩‍👩‍👧', '\u0001\u007f', 'é', 'e\u0301', '</script>'],
  falsy: [0, false, '', null, [], {}],
  numbers: [1.5, -0.000001, 1e21, Number.MAX_SAFE_INTEGER],
};

export interface ClientSuite {
  /** The service, and whatever else the client needs. */
  startService(): Promise<Service>;
  open(service: Service): Promise<Client> | Client;
  /** What the library cannot send; a test checks the client against it. */
  readonly cannotSend?: readonly ('notifications' | 'batches' | 'unknown methods')[];
  /** How much text the transport carries in one attachment. */
  readonly largestTextBytes?: number;
}

/** What every client gets from the service, whatever its library makes of the protocol. */
export function describeClient(library: string, suite: ClientSuite): void {
  const { cannotSend = [], largestTextBytes = MEBIBYTE } = suite;

  describe(`a client of ${library}`, () => {
    let service: Service;
    let client: Client;

    beforeAll(async () => {
      service = await suite.startService();
      client = await suite.open(service);
      await service.result('task.create', { id: TASK, text: 'a task of the clients' });
    });
    afterAll(async () => {
      await client?.close?.();
      await service?.kill();
    });

    const result = async <T>(method: string, params?: object): Promise<T> => {
      const outcome = await client.call({ method, params });
      if (outcome.error) throw new Error(`${method} was refused: ${JSON.stringify(outcome.error)}`);
      return outcome.result as T;
    };
    const error = async (method: string, params?: object): Promise<RpcError | undefined> =>
      (await client.call({ method, params })).error;
    const put = (key: string, members: object): Call => ({
      method: 'task.create_attachment',
      params: { taskId: TASK, key, ...members },
    });
    const roundTrip = async (key: string, members: object) => {
      await result('task.create_attachment', put(key, members).params);
      return result<WireAttachment>('task.get_attachment', { taskId: TASK, key });
    };

    it('leads a task with attachments of every type through its life', async () => {
      const { id: taskId } = await result<{ id: string }>('task.create', { text: 'Оптимизировать запрос 🦊' });
      const attachments = [
        { key: 'json', type: 'json', value: JSON_VALUE },
        { key: 'заметки', type: 'markdown', content: '# Заметки\n\n`код`' },
        { key: 'text', type: 'text', content: '' },
        { key: 'url', type: 'url', url: 'https://example.com/a?b=%20#c' },
        { key: 'binary', type: 'binary', mimeType: 'application/pdf', size: 2_048_576 },
      ];
      for (const members of attachments) {
        expect(await result('task.create_attachment', { taskId, ...members })).toMatchObject({ replaced: false });
      }
      for (const { key, ...members } of attachments) {
        expect(await result('task.get_attachment', { taskId, key })).toMatchObject(members);
      }
      const page = await result<WireAttachmentPage>('task.list_attachments', { taskId, limit: 2, offset: 4 });
      expect(page).toMatchObject({ attachments: [{ key: 'binary' }], totalCount: 5, hasMore: false });
      const requests = ['text', 'none'].map((key) => ({ taskId, key }));
      expect(await result('task.get_attachments_batch', { requests, allowMissing: true })).toMatchObject({
        attachments: [{ key: 'text' }, null],
      });
      expect(await result('task.delete_attachment', { taskId, key: 'заметки' })).toMatchObject({ deleted: true });
      const updates = { priority: 0, metadata: { n: 1 } };
      expect(await result('task.update', { id: taskId, updates })).toMatchObject(updates);
      expect(await result('task.get', { id: taskId })).toMatchObject({ priority: 0, attachmentCount: 4 });
      const completion = { id: taskId, workerId: 'w', result: { готово: true } };
      const completed = await result('task.complete', completion);
      expect(completed).toMatchObject({ status: 'completed' });
      expect(await result('task.complete', completion)).toEqual(completed);
      expect(await result('task.get_attachment', { taskId, key: 'result' })).toMatchObject({ value: { готово: true } });
      expect(await result('task.delete', { id: taskId })).toMatchObject({ deleted: true });
    });

    it('repeats task.create with its own id, and gets the first result', async () => {
      const params = { id: 'repeated', text: 'once' };
      const first = await result<object>('task.create', params);
      expect(await result('task.create', params)).toEqual({ ...first, replayed: true });
    });

    it('calls a method without params', async () => {
      expect((await result<{ totalCount: number }>('task.list')).totalCount).toBeGreaterThan(0);
    });

    it('may send null for an optional parameter', async () => {
      const params = { status: null, parentId: 'none', limit: null };
      expect(await result('task.list', params)).toMatchObject({ tasks: [], totalCount: 0 });
    });

    it('gets JSON values back as it has sent them', async () => {
      expect((await roundTrip('value', { type: 'json', value: JSON_VALUE })).value).toEqual(JSON_VALUE);
      for (const value of JSON_VALUE.falsy) {
        expect((await roundTrip('falsy', { type: 'json', value })).value).toEqual(value);
      }
    });

    it('gets the code, the message and the data of every kind of error', async () => {
      expect(await error('task.get', { id: 'none' })).toMatchObject({
        code: -32602,
        message: 'Task none not found',
        data: { code: 'TASK_NOT_FOUND', taskId: 'none' },
      });
      expect(await error('task.get_attachment', { taskId: TASK, key: 'нет' })).toMatchObject({
        code: -32602,
        message: `Attachment with key 'нет' not found for task ${TASK}`,
        data: { code: 'ATTACHMENT_NOT_FOUND', taskId: TASK, key: 'нет' },
      });
      const wrong = await error('task.create_attachment', { taskId: TASK, type: 'text', contents: 'x' });
      expect(wrong).toMatchObject({ code: -32602, message: 'Invalid params', data: { code: 'INVALID_PARAMS' } });
      const fields = (wrong?.data?.['errors'] as { field: string }[]).map(({ field }) => field);
      expect(fields.sort()).toEqual(['content', 'contents', 'key']);
      await roundTrip('taken', { type: 'text', content: 'x' });
      const again = put('taken', { type: 'text', content: 'y', ifAbsent: true });
      expect(await error(again.method, again.params)).toMatchObject({
        code: -32005,
        message: 'Conflict',
        data: { code: 'VERSION_CONFLICT', taskId: TASK, key: 'taken' },
      });
    });

    if (!cannotSend.includes('unknown methods')) {
      it('gets an error for a method that does not exist', async () => {
        expect(await error('task.nothing', { id: TASK })).toMatchObject({ code: -32601, message: 'Method not found' });
      });
    }

    it.each([
      ['Cyrillic', 'Ж'],
      ['emoji', '🦊'],
      ['characters that JSON escapes', '\u0001\n"\\'],
    ])('sends and gets the largest text of %s', async (_, unit) => {
      const content = unit.repeat(largestTextBytes / Buffer.byteLength(unit));
      const attachment = await roundTrip('large', { type: 'text', content });
      // Compared without a matcher: its message would be as long as the text.
      expect(attachment.content === content).toBe(true);
    });

    it('gets the replies of concurrent calls under the right calls', async () => {
      const ids = Array.from({ length: 40 }, (_, i) => `missing-${i}`);
      const outcomes = await Promise.all(ids.map((id) => client.call({ method: 'task.get', params: { id } })));
      expect(outcomes.map((outcome) => outcome.error?.message)).toEqual(ids.map((id) => `Task ${id} not found`));
    });

    it('can send everything but what its library cannot', () => {
      expect(client.notify === undefined).toBe(cannotSend.includes('notifications'));
      expect(client.batch === undefined).toBe(cannotSend.includes('batches'));
    });

    if (!cannotSend.includes('notifications')) {
      it('sends notifications that take effect, and that get no reply if they fail', async () => {
        const { notify } = client as Required<Client>;
        await notify({ method: 'task.get', params: { id: 'none' } });
        await notify(put('notified', { type: 'text', content: 'x' }));
        await until('the notification has taken effect', async () => {
          const reply = await service.rpc('task.get_attachment', { taskId: TASK, key: 'notified' });
          return reply.result !== undefined;
        });
      });
    }

    if (!cannotSend.includes('batches')) {
      it(
        'gets the replies of a batch of the largest size in the order of its calls, errors among them',
        async () => {
          const calls = Array.from({ length: MAX_CALLS }, (_, i) =>
            i % 10 === 9
              ? { method: 'task.get', params: { id: `none-${i}` } }
              : put(`batch-${i}`, { type: 'json', value: { n: i } }),
          );
          const outcomes = await (client as Required<Client>).batch(calls);
          expect(
            outcomes.map(({ result: done, error: refused }) => (done as WireAttachment)?.key ?? refused?.message),
          ).toEqual(calls.map((_, i) => (i % 10 === 9 ? `Task none-${i} not found` : `batch-${i}`)));
        },
        BATCH_TIMEOUT_MS,
      );

      it(
        'gets an error for each call of a batch that is too long, and none of its calls runs',
        async () => {
          const calls = Array.from({ length: MAX_CALLS + 1 }, (_, i) =>
            put(`too-long-${i}`, { type: 'text', content: '' }),
          );
          const outcomes = await (client as Required<Client>).batch(calls);
          expect(outcomes).toHaveLength(calls.length);
          for (const outcome of outcomes) {
            expect(outcome.error).toMatchObject({
              code: -32600,
              data: { code: 'BATCH_TOO_LONG', maxCalls: MAX_CALLS },
            });
          }
          const page = await service.result('task.list_attachments', { taskId: TASK, keyPrefix: 'too-long-' });
          expect(page).toMatchObject({ totalCount: 0 });
        },
        BATCH_TIMEOUT_MS,
      );
    }
  });
}
