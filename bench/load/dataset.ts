import { BenchError } from '../bench-error';
import type { Call, RpcClient } from '../rpc-client';

/** So many tasks with so many attachments each. */
interface Shape {
  readonly tasks: number;
  readonly attachments: number;
}

/** What is stored before a load begins. */
const SHAPES = {
  /** To read and to overwrite. */
  small: { tasks: 100, attachments: 20 },
  /** To list as a whole. */
  fifty: { tasks: 20, attachments: 50 },
  large: { tasks: 2, attachments: 10_000 },
  /** They get new attachments from the load. */
  growing: { tasks: 64, attachments: 0 },
  /** All writers write to it. */
  crowded: { tasks: 1, attachments: 0 },
} satisfies Record<string, Shape>;

export type Kind = keyof typeof SHAPES;

/** Tasks whose attachments have the same keys. */
export interface Tasks {
  readonly ids: readonly string[];
  readonly keys: readonly string[];
}

export interface Dataset {
  readonly tasks: Readonly<Partial<Record<Kind, Tasks>>>;
  /** Of the values that the load writes, as JSON; unset: about 200. */
  readonly valueBytes?: number;
}

export interface Ref {
  readonly taskId: string;
  readonly key: string;
}

const CALLS_AT_ONCE = 16;
const BATCHES_AT_ONCE = 8;
/** The keys that begin with it are all of a small task, and a tenth of a large one. */
export const KEY_PREFIX = 'page-';
const PREFIX_EVERY = 10;

const VALUE = {
  status: 'succeeded',
  attempts: 3,
  durationMs: 1834.25,
  labels: ['nightly', 'region-eu', 'retry'],
  summary: 'Extracted 1,284 of 1,291 records; 7 were skipped because their checksum did not match.',
};

/** Creates the tasks of these kinds with their attachments, by single calls. Throws `BenchError` if one is refused. */
export async function seed(
  client: RpcClient,
  kinds: readonly Kind[],
  { valueBytes, shapes = {} }: { valueBytes?: number; shapes?: Partial<Record<Kind, Shape>> } = {},
): Promise<Dataset> {
  const tasks: Partial<Record<Kind, Tasks>> = {};
  for (const kind of kinds) {
    const shape = shapes[kind] ?? SHAPES[kind];
    const keys = Array.from({ length: shape.attachments }, (_, i) => keyOf(kind, i));
    const created = await callSome(client, Array.from({ length: shape.tasks }, taskCreation));
    const ids = created.map(idOf);
    const refs = keys.flatMap((key) => ids.map((taskId) => ({ taskId, key })));
    await callSome(
      client,
      refs.map((ref) => creation(ref, valueBytes)),
    );
    tasks[kind] = { ids, keys };
  }
  return { tasks, valueBytes };
}

/** Creates tasks without attachments, in batches. */
export async function createTasks(client: RpcClient, count: number): Promise<void> {
  const creations = Array.from({ length: Math.ceil(count / BATCHES_AT_ONCE) }, taskCreation);
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, () => client.callAll(creations)));
}

/** Lists each task once: what a cache fills at the first list, and not before, is then there before the load begins. */
export async function listOnce(client: RpcClient, { tasks }: Dataset): Promise<void> {
  const ids = Object.values(tasks).flatMap(({ keys, ids }) => (keys.length > 0 ? ids : []));
  await callSome(
    client,
    ids.map((taskId) => ({ method: 'task.list_attachments', params: { taskId, limit: 1 } })),
  );
}

export function idOf(createdTask: unknown): string {
  const { id } = createdTask as { id?: unknown };
  if (typeof id !== 'string') throw new BenchError('the result of task.create has no id');
  return id;
}

/** What the server has of the kind; it was created before. */
export function tasksOf({ tasks }: Dataset, kind: Kind): Tasks {
  return tasks[kind] as Tasks;
}

/** The `i`-th attachment of the small tasks, starting again after the last. Consecutive ones belong to different tasks. */
export function smallRef(dataset: Dataset, i: number): Ref {
  const { ids, keys } = tasksOf(dataset, 'small');
  return { taskId: at(ids, i), key: at(keys, Math.floor(i / ids.length)) };
}

/** So many attachments of the `i`-th small task. */
export function refsOfSmallTask(dataset: Dataset, i: number, count: number): Ref[] {
  const { ids, keys } = tasksOf(dataset, 'small');
  return Array.from({ length: count }, (_, nth) => ({ taskId: at(ids, i), key: at(keys, nth) }));
}

/** The `i`-th task of the kind, starting again after the last. */
export function taskId(dataset: Dataset, kind: Kind, i: number): string {
  return at(tasksOf(dataset, kind).ids, i);
}

export function creation(ref: Ref, valueBytes?: number): Call {
  const value = valueBytes ? { filler: 'x'.repeat(valueBytes - '{"filler":""}'.length) } : VALUE;
  return { method: 'task.create_attachment', params: { ...ref, type: 'json', value } };
}

export function taskCreation(): Call {
  return { method: 'task.create', params: { text: 'a task of the benchmark' } };
}

/** The results, in the order of the calls. */
async function callSome(client: RpcClient, calls: readonly Call[]): Promise<unknown[]> {
  const results: unknown[] = [];
  let next = 0;
  const loop = async () => {
    for (let i = next++; i < calls.length; i = next++) results[i] = await client.call(calls[i] as Call);
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, loop));
  return results;
}

function keyOf(kind: Kind, i: number): string {
  return kind !== 'large' || i % PREFIX_EVERY === 0 ? `${KEY_PREFIX}${i}` : `other-${i}`;
}

function at<T>(items: readonly T[], i: number): T {
  return items[i % items.length] as T;
}
