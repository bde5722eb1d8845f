import type { Call } from './rpc-client';

/** A call to count, and what must be stored before it. */
export interface RoundTripCase {
  readonly name: string;
  /** 1 by default. */
  readonly tasks?: number;
  /** The number for each task; their keys are `k0`, `k1`, … */
  readonly attachments: number;
  readonly isRefused?: boolean;
  readonly call: (taskIds: readonly string[]) => Call;
}

const BATCH_SIZE = 100;
const PAGE_SIZE = 20;

let created = 0;

const ATTACHMENT_CASES: readonly RoundTripCase[] = [
  {
    name: 'task.get_attachment, found',
    attachments: 1,
    call: ([taskId]) => ({ method: 'task.get_attachment', params: { taskId, key: 'k0' } }),
  },
  {
    name: 'task.get_attachment, not found',
    attachments: 1,
    isRefused: true,
    call: ([taskId]) => ({ method: 'task.get_attachment', params: { taskId, key: 'missing' } }),
  },
  {
    name: 'task.create_attachment, new',
    attachments: 1,
    call: ([taskId]) => creation(taskId, 'new'),
  },
  {
    name: 'task.create_attachment, overwrite',
    attachments: 1,
    call: ([taskId]) => creation(taskId, 'k0'),
  },
  {
    name: `task.list_attachments, all ${PAGE_SIZE} of a task`,
    attachments: PAGE_SIZE,
    call: ([taskId]) => ({ method: 'task.list_attachments', params: { taskId, limit: PAGE_SIZE } }),
  },
  {
    name: `task.list_attachments, ${PAGE_SIZE} of ${BATCH_SIZE}`,
    attachments: BATCH_SIZE,
    call: ([taskId]) => ({ method: 'task.list_attachments', params: { taskId, limit: PAGE_SIZE } }),
  },
  {
    name: `task.get_attachments_batch, ${BATCH_SIZE} of one task`,
    attachments: BATCH_SIZE,
    call: ([taskId]) => batch(Array.from({ length: BATCH_SIZE }, (_, i) => ({ taskId, key: `k${i}` }))),
  },
  {
    name: `task.get_attachments_batch, one of each of ${BATCH_SIZE} tasks`,
    tasks: BATCH_SIZE,
    attachments: 1,
    call: (taskIds) => batch(taskIds.map((taskId) => ({ taskId, key: 'k0' }))),
  },
  {
    name: 'task.delete_attachment',
    attachments: 1,
    call: ([taskId]) => ({ method: 'task.delete_attachment', params: { taskId, key: 'k0' } }),
  },
];

const TASK_CASES: readonly RoundTripCase[] = [
  {
    name: 'task.create',
    attachments: 0,
    call: () => ({ method: 'task.create', params: { id: `created-${++created}`, text: 'a task' } }),
  },
  { name: 'task.get', attachments: 1, call: ([id]) => ({ method: 'task.get', params: { id } }) },
  {
    name: 'task.update',
    attachments: 1,
    call: ([id]) => ({ method: 'task.update', params: { id, updates: { priority: 1 } } }),
  },
  {
    name: 'task.complete, with a result',
    attachments: 1,
    call: ([id]) => ({ method: 'task.complete', params: { id, result: { done: true } } }),
  },
  { name: 'task.cancel', attachments: 1, call: ([id]) => ({ method: 'task.cancel', params: { id } }) },
  { name: 'task.list', attachments: 1, call: () => ({ method: 'task.list', params: {} }) },
  { name: 'task.delete', attachments: 1, call: ([id]) => ({ method: 'task.delete', params: { id } }) },
];

export const ROUND_TRIP_CASES: readonly RoundTripCase[] = [...ATTACHMENT_CASES, ...TASK_CASES];

function creation(taskId: string | undefined, key: string): Call {
  return { method: 'task.create_attachment', params: { taskId, key, type: 'text', content: 'new' } };
}

function batch(requests: readonly object[]): Call {
  return { method: 'task.get_attachments_batch', params: { requests } };
}
