import { isDeepStrictEqual } from 'node:util';
import { until } from '../support/poll';
import type { Environment, RpcReply } from '../support/service';
import type { WireAttachment, WireAttachmentPage } from '../support/wire-values';
import { isTaskMissing } from './client';
import type { Evidence, StoredRow } from './history';
import { untilRecovered, type Replica, type ReplicaGroup } from './replica-group';
import { StoredTruth } from './stored-truth';
import { PASSING_KEYS } from './workload';

/** For how long after a fault the stores may differ. */
export const AGREED_AFTER_MS = 20_000;

/** What has been published of tasks. */
export interface Announcements {
  /** The ids of the events of these tasks, in the order in which they were published. */
  idsOf(taskIds: readonly string[]): Promise<string[]> | string[];
}

/** Resolves when both stores know of everything that was done before. */
export async function untilCaughtUp(group: ReplicaGroup, deadlineMs: number): Promise<void> {
  await untilRecovered(group, deadlineMs - performance.now());
  const truth = await StoredTruth.open(group);
  try {
    const horizon = await truth.horizon();
    const hasCaughtUp = () => truth.isProjected(horizon);
    await until('the journal is empty, and Redis told of all changes', hasCaughtUp, deadlineMs - performance.now());
  } finally {
    await truth.close();
  }
}

/** The disagreements of the stores that are left when the time to agree is over. */
export async function disagreements(
  truth: StoredTruth,
  taskIds: readonly string[],
  timeoutMs = AGREED_AFTER_MS,
): Promise<string[]> {
  let last: string[] = [];
  const agree = async () => {
    last = await truth.disagreements(taskIds);
    return last.length === 0;
  };
  await until('both stores agree', agree, timeoutMs).catch(() => undefined);
  return last;
}

export async function evidenceOf(
  truth: StoredTruth,
  taskIds: readonly string[],
  heard: Announcements,
): Promise<Evidence> {
  const found = await truth.ofPostgres(taskIds);
  const expected = expectedEvents(found);
  const haveArrived = async () => {
    const ids = new Set(await heard.idsOf(taskIds));
    return expected.every((op) => ids.has(op));
  };
  // If one is missing, the checker names it.
  await until('the events arrive', haveArrived).catch(() => undefined);
  const [homeless, announced] = await Promise.all([truth.homelessWrites(), heard.idsOf(taskIds)]);
  return { ...found, homeless, announced };
}

/** The ids of the events that must be announced. */
export function expectedEvents({
  tasks,
  taskEvents,
  outbox,
}: Omit<Evidence, 'homeless' | 'announced'>): readonly string[] {
  const gone = new Set(tasks.filter(({ isDeleted }) => isDeleted).map(({ taskId }) => taskId));
  const expected = [...taskEvents, ...outbox.filter((row) => !(row.superseded && gone.has(row.taskId)))];
  return expected.map(({ op }) => op);
}

/**
 * In what a replica does not answer exactly what is stored of the live tasks, and that the other tasks are not found;
 * empty if all is well. `headers` are those of a caller who may do everything.
 */
export async function falseAnswers(
  replica: Replica,
  truth: StoredTruth,
  taskIds: readonly string[],
  headers: Environment = {},
): Promise<string[]> {
  const { stored, tasks } = await truth.ofPostgres(taskIds);
  const live = new Set(tasks.filter(({ isDeleted }) => !isDeleted).map(({ taskId }) => taskId));
  const isLive = (id: string) => live.has(id);
  const falseOnes = [
    ...(await falseAnswersAbout(replica, taskIds.filter(isLive), stored, headers)),
    ...(await answersAboutMissing(
      replica,
      taskIds.filter((id) => !isLive(id)),
      headers,
    )),
  ];
  return falseOnes.map((answer) => `${replica.name}: ${answer}`);
}

async function falseAnswersAbout(
  { service }: Replica,
  taskIds: readonly string[],
  stored: readonly StoredRow[],
  headers: Environment,
): Promise<string[]> {
  const live = stored.filter((row) => row.name !== undefined);
  const shown = live.map((row) => ({ taskId: row.taskId, key: row.key, version: row.version, value: row.name }));
  const pages = await Promise.all(
    taskIds.map((taskId) => service.result<WireAttachmentPage>('task.list_attachments', { taskId }, headers)),
  );
  const gets = stored.map(({ taskId, key }) => service.rpc('task.get_attachment', { taskId, key }, headers));
  const found = (await Promise.all(gets)).flatMap(({ result }) =>
    result ? [result as unknown as WireAttachment] : [],
  );
  const listed = pages.flatMap(({ attachments }) => attachments);
  return [
    ...[...pages, ...found].filter((answer) => 'degraded' in answer).map((answer) => `degraded: ${shortened(answer)}`),
    ...(isDeepStrictEqual(listed.map(shownOf), shown) ? [] : [`lists ${shortened(listed)}, not ${shortened(shown)}`]),
    ...(isDeepStrictEqual(found.map(shownOf), shown) ? [] : [`gets ${shortened(found)}, not ${shortened(shown)}`]),
  ];
}

/** The answers about tasks that are not there, except "not found". */
async function answersAboutMissing(
  { service }: Replica,
  taskIds: readonly string[],
  headers: Environment,
): Promise<string[]> {
  const [key] = PASSING_KEYS;
  const replies: RpcReply[] = [];
  for (const taskId of taskIds) {
    const calls: [method: string, params: object][] = [
      ['task.get', { id: taskId }],
      ['task.delete', { id: taskId }],
      ['task.list_attachments', { taskId }],
      ['task.delete_attachment', { taskId, key }],
      ['task.create_attachment', { taskId, key, type: 'json', value: 'too late' }],
      ...PASSING_KEYS.map((one): [string, object] => ['task.get_attachment', { taskId, key: one }]),
    ];
    replies.push(...(await Promise.all(calls.map(([method, params]) => service.rpc(method, params, headers)))));
  }
  return replies.filter((reply) => !isTaskMissing(reply)).map(shortened);
}

function shownOf({ taskId, key, version, value }: WireAttachment) {
  return { taskId, key, version, value };
}

function shortened(answer: unknown): string {
  const text = JSON.stringify(answer);
  return text.length > 2000 ? `${text.slice(0, 2000)}…` : text;
}
