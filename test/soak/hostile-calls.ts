import type { Client } from '../faults/client';
import type { Replica } from '../faults/replica-group';
import type { Random } from '../simulation/random';
import type { HttpReply, RpcError } from '../support/service';
import type { Credentials } from './credentials';
import { wordOf } from './documented-errors';
import { isFailure, type Witness } from './witness';

const TOO_MANY_CALLS = 101;
const TOO_DEEP = 100;
const TOO_LARGE_BYTES = 1024 * 1024 + 1;
const JSON_TYPE = { 'content-type': 'application/json' };

/** What a caller of `acme` may try; `foreignTask` is a task of another organisation. */
export interface Intrusion {
  readonly client: Client;
  readonly replica: Replica;
  readonly credentials: Credentials;
  readonly foreignTask: string;
}

interface HostileCall {
  readonly name: string;
  /** The only answer that is right besides those of an outage: the status, and the code or the word of the error. */
  readonly expected: readonly [status: number, error?: number | string];
  readonly send: (intrusion: Intrusion) => Promise<{ readonly reply?: HttpReply }>;
}

const call = (method: string, params: object) => JSON.stringify({ jsonrpc: '2.0', method, params, id: 1 });
const post =
  (body: string, caller?: string): HostileCall['send'] =>
  ({ client, replica }) =>
    client.post(replica, body, caller);
const admin = 'acme admin';

/** Each must be refused in the words of the documents. */
const HOSTILE_CALLS: readonly HostileCall[] = [
  { name: 'no credential', expected: [200, 'UNAUTHORIZED'], send: post(call('task.list', {}), 'nobody') },
  { name: 'a wrong key', expected: [200, 'UNAUTHORIZED'], send: post(call('task.list', {}), 'wrong') },
  {
    name: 'a role that may not',
    expected: [200, 'FORBIDDEN'],
    send: post(call('task.create', { text: 'x' }), 'acme read'),
  },
  {
    name: 'a task of others',
    expected: [200, 'TASK_NOT_FOUND'],
    send: ({ foreignTask, ...at }) => post(call('task.get', { id: foreignTask }), admin)({ foreignTask, ...at }),
  },
  {
    name: 'the id of a task of others',
    expected: [200, 'TASK_EXISTS'],
    send: ({ foreignTask: id, ...at }) =>
      post(call('task.create', { id, text: 'mine now' }), admin)({ foreignTask: id, ...at }),
  },
  {
    name: 'a deletion of a task of others',
    expected: [403],
    send: ({ client, replica, foreignTask }) => client.deleteByRest(replica, foreignTask, admin),
  },
  {
    name: 'a deletion of a malformed id',
    expected: [422],
    send: ({ client, replica }) => client.deleteByRest(replica, '%20', admin),
  },
  { name: 'text that is no JSON', expected: [200, -32700], send: post('{"jsonrpc": "2.0", "method', admin) },
  {
    name: 'a batch that is too long',
    expected: [200, 'BATCH_TOO_LONG'],
    send: post(
      `[${Array.from({ length: TOO_MANY_CALLS }, () => '{"jsonrpc":"2.0","method":"task.list","id":1}').join()}]`,
      admin,
    ),
  },
  { name: 'an unknown method', expected: [200, -32601], send: post(call('task.drop', {}), admin) },
  {
    name: 'unknown params',
    expected: [200, 'INVALID_PARAMS'],
    send: post(call('task.list', { limits: 1, limit: 0 }), admin),
  },
  {
    name: 'a value that is too deep',
    expected: [200, 'INVALID_PARAMS'],
    send: post(
      `{"jsonrpc":"2.0","method":"task.create_attachment","id":1,"params":{"taskId":"t","key":"k","type":"json","value":${'['.repeat(TOO_DEEP)}${']'.repeat(TOO_DEEP)}}}`,
      admin,
    ),
  },
  {
    name: 'a content that is too large',
    expected: [200, 'INVALID_PARAMS'],
    send: post(
      call('task.create_attachment', { taskId: 't', key: 'k', type: 'text', content: 'x'.repeat(TOO_LARGE_BYTES) }),
      admin,
    ),
  },
  {
    name: 'another verb',
    expected: [405, 'METHOD_NOT_ALLOWED'],
    send: ({ client, replica }) => client.fetch(replica, '/rpc', { method: 'PUT', body: '{}', headers: JSON_TYPE }),
  },
  {
    name: 'another content type',
    expected: [415, 'UNSUPPORTED_MEDIA_TYPE'],
    send: ({ client, replica }) =>
      client.fetch(replica, '/rpc', { method: 'POST', body: '{}', headers: { 'content-type': 'text/plain' } }),
  },
];

export async function callWithEvilIntent(intrusion: Intrusion, random: Random, witness: Witness): Promise<void> {
  const { name, expected, send } = random.pick(HOSTILE_CALLS);
  const { reply } = await send(intrusion);
  if (!reply) return;
  const [status, error] = expected;
  const shown = errorOf(reply.text);
  const isRight = reply.status === status && (error === undefined || error === shown?.word || error === shown?.code);
  if (!isRight && !isFailure(shown?.word) && reply.status !== 503) {
    witness.note(`${name} is not refused as ${expected.join(' ')}`, `${reply.status} ${reply.text}`);
  }
}

function errorOf(text: string): { readonly code: number; readonly word?: string } | undefined {
  try {
    const [first] = [JSON.parse(text) as unknown].flat() as { error?: RpcError }[];
    return first?.error && { code: first.error.code, word: wordOf(first.error) };
  } catch {
    return undefined;
  }
}
