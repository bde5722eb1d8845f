import type { Call } from '../rpc-client';
import { creation, KEY_PREFIX, refsOfSmallTask, smallRef, taskId, tasksOf, type Dataset, type Kind } from './dataset';

/** What is sent at once: a call, or a batch of JSON-RPC. */
export type Message = Call | readonly Call[];

interface Workload {
  /** The tasks that it needs. */
  readonly needs: readonly Kind[];
  /** What one connection sends: these messages again and again, or always a new one. */
  readonly messages: (dataset: Dataset, connection: number) => readonly Message[] | (() => Message);
}

/** Of 64 connections, no two write to the same attachment: they would wait for each other's locks. */
const MESSAGES_PER_CONNECTION = 30;
const PAGE_SIZE = 20;
const BATCH_SIZE = 20;
/** So many pages of a task are asked for, if it has them. */
const MAX_PAGES = 50;

let newKeys = 0;

export const WORKLOADS = {
  get: repeated(['small'], (data, i) => get(data, i)),
  list: repeated(['small'], (data, i) => list(pageOf(data, 'small', i))),
  'list by prefix': repeated(['small'], (data, i) => list({ ...pageOf(data, 'small', i), keyPrefix: KEY_PREFIX })),
  'list of 10,000': repeated(['large'], (data, i) => list(pageOf(data, 'large', i))),
  'list of 10,000 by prefix': repeated(['large'], (data, i) => {
    return list({ ...pageOf(data, 'large', i), keyPrefix: KEY_PREFIX });
  }),
  'list of 50': repeated(['fifty'], (data, i) => list({ taskId: taskId(data, 'fifty', i), limit: 50 })),
  'batch of one task': repeated(['small'], (data, i) => batch(refsOfSmallTask(data, i, BATCH_SIZE))),
  'batch of 20 tasks': repeated(['small'], (data, i) => batch(some(i, (at) => smallRef(data, at)))),
  'batch of 20 gets': repeated(['small'], (data, i) => some(i, (at) => get(data, at))),
  'create, new': {
    needs: ['growing'],
    messages: (data) => () => {
      newKeys += 1;
      return creation({ taskId: taskId(data, 'growing', newKeys), key: `new-${newKeys}` }, data.valueBytes);
    },
  },
  'create, overwrite': repeated(['small'], overwrite),
  'one task, many writers': {
    needs: ['crowded'],
    messages: (data, connection) => [creation({ taskId: taskId(data, 'crowded', 0), key: `writer-${connection}` })],
  },
  'task.list': repeated([], (_, i) => ({
    method: 'task.list',
    params: { limit: PAGE_SIZE, offset: PAGE_SIZE * (i % MAX_PAGES) },
  })),
  'get and overwrite': repeated(['small'], (data, i) => (i % 2 === 0 ? get(data, i) : overwrite(data, i))),
  mixed: repeated(['small'], (data, i) => mixed(data, i)),
} satisfies Record<string, Workload>;

export type WorkloadName = keyof typeof WORKLOADS;

export function tasksFor(workloads: readonly WorkloadName[]): Kind[] {
  return [...new Set(workloads.flatMap((name): readonly Kind[] => WORKLOADS[name].needs))];
}

function repeated(needs: readonly Kind[], message: (data: Dataset, i: number) => Message): Workload {
  return {
    needs,
    messages: (data, connection) =>
      Array.from({ length: MESSAGES_PER_CONNECTION }, (_, at) =>
        message(data, connection * MESSAGES_PER_CONNECTION + at),
      ),
  };
}

function get(data: Dataset, i: number): Call {
  return { method: 'task.get_attachment', params: smallRef(data, i) };
}

function overwrite(data: Dataset, i: number): Call {
  return creation(smallRef(data, i), data.valueBytes);
}

function list(params: { taskId: string; keyPrefix?: string; limit?: number; offset?: number }): Call {
  return { method: 'task.list_attachments', params: { limit: PAGE_SIZE, ...params } };
}

/**
 * The `i`-th page, starting again after the last, in turn of different tasks. A hundred small tasks have as many pages as
 * two large ones have here: what is shared by equal calls that come together is the same for both.
 */
function pageOf(data: Dataset, kind: Kind, i: number): { taskId: string; offset: number } {
  const { ids, keys } = tasksOf(data, kind);
  const pages = Math.min(MAX_PAGES, Math.ceil(keys.length / PAGE_SIZE));
  return { taskId: taskId(data, kind, i), offset: PAGE_SIZE * (Math.floor(i / ids.length) % pages) };
}

function batch(requests: readonly object[]): Call {
  return { method: 'task.get_attachments_batch', params: { requests } };
}

/** Of ten messages, six are gets, two overwrites, one a list and one a batch. */
function mixed(data: Dataset, i: number): Call {
  const kind = i % 10;
  if (kind === 0 || kind === 5) return overwrite(data, i);
  if (kind === 1) return list(pageOf(data, 'small', i));
  return kind === 2 ? batch(some(i, (at) => smallRef(data, at))) : get(data, i);
}

function some<T>(i: number, make: (at: number) => T): T[] {
  return Array.from({ length: BATCH_SIZE }, (_, at) => make(i * BATCH_SIZE + at));
}
