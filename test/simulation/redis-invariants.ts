import type { CacheModel } from '../support/cache-model/cache-model';
import type { TaskState } from '../support/cache-model/task-state';
import type { Change, History } from './history';

interface Problem {
  readonly rule: string;
  readonly text: string;
}

/** What must hold of all that Redis keeps of a task, at every moment. */
export function checkTask(history: History, taskId: string, model: CacheModel): Problem | undefined {
  const state = model.dump(taskId);
  const { control } = state;
  if (!control) return undefined;
  const cursor = model.cursor ?? 0;
  const ofCursor = () =>
    nothingOlderThanProjected(history, taskId, state, cursor) ?? completeIsComplete(history, taskId, state, cursor);
  return (
    // What is carried over from another epoch is not believed.
    (history.isOfPresent(model) && !control.carried ? ofCursor() : undefined) ??
    indexIsOfLiveRecords(taskId, state) ??
    journaledIsKept(taskId, state)
  );
}

function nothingOlderThanProjected(
  history: History,
  taskId: string,
  { control }: TaskState,
  cursor: number,
): Problem | undefined {
  for (const [key, { version }] of control?.records ?? []) {
    const projected = lastBelow(history.commitsOf({ taskId, key }), cursor);
    if (projected && projected.version > version) {
      const text = `${taskId}/${key} is ${version} in Redis, ${projected.version} was projected`;
      return { rule: 'invariant 3', text };
    }
  }
  return undefined;
}

/**
 * If Redis claims to know all: what it lacks, the database lacked at some moment since the cursor, or the journal has
 * deleted.
 */
function completeIsComplete(
  history: History,
  taskId: string,
  { control }: TaskState,
  cursor: number,
): Problem | undefined {
  if (!control?.complete || control.deletedVersion !== undefined) return undefined;
  for (const [key, commits] of history.commits.get(taskId) ?? []) {
    const record = control.records.get(key);
    const then = lastBelow(commits, cursor);
    if (record?.live) {
      const change = history.change({ taskId, key }, record.op);
      if (!change?.attachment) return { rule: 'invariant 4', text: `${taskId}/${key} ${record.version} was never put` };
    } else if (then?.attachment && !hasExpired(then, history) && !record) {
      const isGoneSince = commits.some(
        (one) => one.version > then.version && (!one.attachment || hasExpired(one, history)),
      );
      if (!isGoneSince) return { rule: 'invariant 4', text: `${taskId}/${key} ${then.version} is missing in Redis` };
    }
  }
  return undefined;
}

function indexIsOfLiveRecords(taskId: string, { control, index }: TaskState): Problem | undefined {
  for (const key of index?.scores.keys() ?? []) {
    if (!control?.records.get(key)?.live) {
      return { rule: 'invariant 5', text: `the index of ${taskId} has ${key}, which is not live` };
    }
  }
  return undefined;
}

function journaledIsKept(taskId: string, { control, hashes }: TaskState): Problem | undefined {
  if (!control || control.undrained === 0) return undefined;
  if (control.endsAtMs < Infinity) return { rule: 'invariant 6', text: `the control of ${taskId} may end` };
  for (const [key, { mark, live }] of control.records) {
    if (mark === 'journaled' && live && !(hashes.get(key)?.endsAtMs === Infinity)) {
      return { rule: 'invariant 6', text: `the journaled hash of ${taskId}/${key} may end` };
    }
  }
  return undefined;
}

/** Versions rise with every commit, not with the transactions: the highest of those below. */
function lastBelow(commits: readonly Change[], cursor: number): Change | undefined {
  return commits.findLast(({ xid }) => xid !== undefined && xid < cursor);
}

/** By the clock that is furthest ahead. */
function hasExpired({ attachment }: Change, history: History): boolean {
  return attachment?.expiresAtMs !== undefined && attachment.expiresAtMs <= history.nowMs + history.maxSkewMs;
}
