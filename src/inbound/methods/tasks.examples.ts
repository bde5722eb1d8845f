import type { MethodExample } from './rpc-method';

// One story, told by all examples: the task `order-4711`. The tests run it.
type Examples = readonly [MethodExample, ...MethodExample[]];

const CREATED = {
  id: 'order-4711',
  text: 'Write the report of order 4711',
  status: 'pending',
  priority: 70,
  metadata: { customer: 'c-17' },
  parentId: null,
  createdAt: '2026-01-19T11:00:00.000Z',
};
const STORED = {
  ...CREATED,
  organization: 'default',
  createdBy: 'billing',
  updatedAt: '2026-01-19T11:00:00.000Z',
  attachmentCount: 2,
};

export const CREATE_TASK: Examples = [
  {
    name: 'with an id of the caller',
    params: {
      id: 'order-4711',
      text: 'Write the report of order 4711',
      priority: 70,
      metadata: { customer: 'c-17' },
    },
    result: CREATED,
  },
];

export const GET_TASK: Examples = [{ name: 'by id', params: { id: 'order-4711' }, result: STORED }];

export const UPDATE_TASK: Examples = [
  {
    name: 'a task in progress',
    params: { id: 'order-4711', updates: { status: 'in_progress', metadata: { step: 2 } } },
    result: {
      id: 'order-4711',
      text: 'Write the report of order 4711',
      status: 'in_progress',
      priority: 70,
      metadata: { customer: 'c-17', step: 2 },
      createdAt: '2026-01-19T11:00:00.000Z',
      updatedAt: '2026-01-19T11:02:00.000Z',
    },
  },
];

export const COMPLETE_TASK: Examples = [
  {
    name: 'with a result',
    params: { id: 'order-4711', workerId: 'worker-3', result: { pages: 4 } },
    result: { id: 'order-4711', status: 'completed', completedAt: '2026-01-19T11:04:00.000Z' },
  },
];

export const CANCEL_TASK: Examples = [
  {
    name: 'by id',
    params: { id: 'order-4712' },
    result: { id: 'order-4712', status: 'cancelled', cancelledAt: '2026-01-19T11:06:00.000Z' },
  },
];

export const LIST_TASKS: Examples = [
  {
    name: 'the most urgent first',
    params: { status: 'pending', orderBy: 'priority', order: 'desc', limit: 10 },
    result: { tasks: [STORED], totalCount: 1, hasMore: false },
  },
];

export const GET_USAGE: Examples = [
  {
    name: 'without limits',
    params: {},
    result: { tasks: 2, attachments: 2, bytes: 63, limits: {} },
  },
];

export const DELETE_TASK: Examples = [
  {
    name: 'by id',
    params: { id: 'order-4711' },
    result: { id: 'order-4711', deleted: true, deletedAt: '2026-01-19T11:08:00.000Z' },
  },
];
