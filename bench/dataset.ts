import type { Call } from './rpc-client';

/** What is stored before the load begins: attachments to read and to overwrite. */
const READ_TASKS = 16;
export const ATTACHMENTS_PER_TASK = 100;
/** Tasks that get new attachments from the load. */
const GROWING_TASKS = 64;

const VALUE = {
  status: 'succeeded',
  attempts: 3,
  durationMs: 1834.25,
  labels: ['nightly', 'region-eu', 'retry'],
  summary: 'Extracted 1,284 of 1,291 records; 7 were skipped because their checksum did not match.',
};

/** The `i`-th attachment of the dataset, starting again after the last. Consecutive ones belong to different tasks. */
export function attachmentRef(i: number): { taskId: string; key: string } {
  return {
    taskId: taskId(i),
    key: `k${Math.floor(i / READ_TASKS) % ATTACHMENTS_PER_TASK}`,
  };
}

/** The `i`-th task of the dataset, starting again after the last. */
export function taskId(i: number): string {
  return `read-${i % READ_TASKS}`;
}

export function growingTaskId(i: number): string {
  return `growing-${i % GROWING_TASKS}`;
}

export function creation(ref: { taskId: string; key: string }): Call {
  return { method: 'task.create_attachment', params: { ...ref, type: 'json', value: VALUE } };
}

export function taskCreations(): Call[] {
  const readIds = Array.from({ length: READ_TASKS }, (_, i) => taskId(i));
  const growingIds = Array.from({ length: GROWING_TASKS }, (_, i) => growingTaskId(i));
  return [...readIds, ...growingIds].map((id) => ({ method: 'task.create', params: { id, text: 'a task' } }));
}

export function attachmentCreations(): Call[] {
  return Array.from({ length: READ_TASKS * ATTACHMENTS_PER_TASK }, (_, i) => creation(attachmentRef(i)));
}
