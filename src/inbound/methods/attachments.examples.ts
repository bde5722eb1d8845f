import type { MethodExample } from './rpc-method';

// One story, told by all examples: the order report of the task `order-4711`. The tests run it.
type Examples = readonly [MethodExample, ...MethodExample[]];

const TIMES = { createdAt: '2026-01-19T11:00:00.000Z', updatedAt: '2026-01-19T11:00:00.000Z' };
const REPORT = {
  id: 'ta-1768820400000-7f3k9x2m1',
  taskId: 'order-4711',
  key: 'report',
  type: 'json',
  value: { total: 129.9, currency: 'EUR' },
  createdBy: 'billing',
  ...TIMES,
  version: 136468070400001,
};
const NOTES = {
  id: 'ta-1768820400000-0c8d41qz5',
  taskId: 'order-4711',
  key: 'notes',
  type: 'markdown',
  content: '## Checked\n\n- address\n- payment',
  createdBy: 'billing',
  ...TIMES,
  version: 136468070800002,
};

export const CREATE_ATTACHMENT: Examples = [
  {
    name: 'a JSON value',
    params: { taskId: 'order-4711', key: 'report', type: 'json', value: { total: 129.9, currency: 'EUR' } },
    result: {
      id: REPORT.id,
      taskId: 'order-4711',
      key: 'report',
      type: 'json',
      createdAt: REPORT.createdAt,
      version: REPORT.version,
      replaced: false,
    },
  },
  {
    name: 'a text',
    params: { taskId: 'order-4711', key: 'notes', type: 'markdown', content: '## Checked\n\n- address\n- payment' },
    result: {
      id: NOTES.id,
      taskId: 'order-4711',
      key: 'notes',
      type: 'markdown',
      createdAt: NOTES.createdAt,
      version: NOTES.version,
      replaced: false,
    },
  },
];

export const GET_ATTACHMENT: Examples = [
  { name: 'by task and key', params: { taskId: 'order-4711', key: 'report' }, result: REPORT },
];

export const LIST_ATTACHMENTS: Examples = [
  {
    name: 'all attachments of a task',
    params: { taskId: 'order-4711' },
    result: { attachments: [REPORT, NOTES], totalCount: 2, hasMore: false },
  },
];

export const GET_ATTACHMENTS_BATCH: Examples = [
  {
    name: 'one of two is missing',
    params: {
      requests: [
        { taskId: 'order-4711', key: 'notes' },
        { taskId: 'order-4711', key: 'invoice' },
      ],
      allowMissing: true,
    },
    result: { attachments: [NOTES, null] },
  },
];

export const DELETE_ATTACHMENT: Examples = [
  {
    name: 'by task and key',
    params: { taskId: 'order-4711', key: 'notes' },
    result: { id: NOTES.id, taskId: 'order-4711', key: 'notes', deleted: true, deletedAt: '2026-01-19T11:05:00.000Z' },
  },
];
