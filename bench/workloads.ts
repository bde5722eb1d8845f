import type { Request } from 'autocannon';
import { attachmentRef, creation, growingTaskId, taskId } from './dataset';
import { request, type Call } from './rpc-client';

export const CONNECTIONS = 32;

const CALLS_PER_CONNECTION = 40;
const PAGE_SIZE = 20;
const BATCH_SIZE = 20;
const WRITE_EVERY = 10;

/** The requests that one connection sends over and over. */
type Workload = (connection: number) => readonly Request[];

let newKeys = 0;

export const WORKLOADS = {
  'get, hit': calls(get),
  [`list, page of ${PAGE_SIZE}`]: calls((i) => ({
    method: 'task.list_attachments',
    params: { taskId: taskId(i), limit: PAGE_SIZE },
  })),
  [`batch of ${BATCH_SIZE}`]: calls((i) => ({
    method: 'task.get_attachments_batch',
    params: { requests: Array.from({ length: BATCH_SIZE }, (_, at) => attachmentRef(i * BATCH_SIZE + at)) },
  })),
  'create, new key': () => [{ setupRequest: (given) => ({ ...given, body: body(newAttachment()) }) }],
  'create, overwrite': calls((i) => creation(attachmentRef(i))),
  'get 90 %, overwrite 10 %': calls((i) => (i % WRITE_EVERY === 0 ? creation(attachmentRef(i)) : get(i))),
} satisfies Record<string, Workload>;

export type WorkloadName = keyof typeof WORKLOADS;

/** No two connections send the same call, because they would wait for each other's locks. */
function calls(call: (i: number) => Call): Workload {
  return (connection) =>
    Array.from({ length: CALLS_PER_CONNECTION }, (_, at) => ({
      body: body(call(connection * CALLS_PER_CONNECTION + at)),
    }));
}

function get(i: number): Call {
  return { method: 'task.get_attachment', params: attachmentRef(i) };
}

function newAttachment(): Call {
  newKeys += 1;
  return creation({ taskId: growingTaskId(newKeys), key: `new-${newKeys}` });
}

function body(call: Call): string {
  return JSON.stringify(request(call));
}
