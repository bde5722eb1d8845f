import { randomUUID } from 'node:crypto';
import type { BareRef, BareStores } from './bare-stores';

interface Message {
  readonly method: string;
  readonly params: {
    readonly taskId: string;
    readonly key: string;
    readonly value: unknown;
    readonly offset?: number;
    readonly limit: number;
    readonly requests: readonly BareRef[];
  };
  readonly id: number;
}

/** Text in, text out: one call, or a batch of calls that run at once. */
export async function bareAnswer(text: string, stores: BareStores): Promise<string> {
  const message = JSON.parse(text) as Message | Message[];
  const reply = Array.isArray(message)
    ? await Promise.all(message.map((one) => replyTo(one, stores)))
    : await replyTo(message, stores);
  return JSON.stringify(reply);
}

async function replyTo(message: Message, stores: BareStores): Promise<object> {
  return { jsonrpc: '2.0', result: await resultOf(message, stores), id: message.id };
}

function resultOf({ method, params }: Message, stores: BareStores): Promise<unknown> {
  switch (method) {
    case 'task.create':
      return Promise.resolve({ id: randomUUID() });
    case 'task.get_attachment':
      return stores.get(params);
    case 'task.list_attachments':
      return stores.list(params.taskId, params.offset ?? 0, params.limit);
    case 'task.get_attachments_batch':
      return stores.getAll(params.requests);
    case 'task.create_attachment':
      return stores.put(params);
    default:
      throw new Error(`no such method: ${method}`);
  }
}
