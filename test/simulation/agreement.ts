import type { Attachment } from '../../src/core/domain/attachment';
import { isTombstone } from '../../src/outbound/memory/stored-attachment';
import type { History, TaskHistory } from './history';
import type { Surroundings } from './replica';

interface Problem {
  readonly rule: string;
  readonly text: string;
}

/** When everything has healed and settled: what must have come of all that was acknowledged. */
export function checkAgreement(history: History, around: Surroundings): Problem | undefined {
  return (
    unsettled(around) ??
    lostChange(history, around) ??
    unannounced(history, around) ??
    writtenTwice(history) ??
    disagreement(history, around)
  );
}

function unsettled({ postgres, redis }: Surroundings): Problem | undefined {
  const { journal } = redis.model;
  if (journal.length > 0)
    return { rule: 'liveness', text: `the journal still holds ${journal.map(({ op }) => op).join()}` };
  const waiting = postgres.database.rows.unpublishedCount;
  if (waiting > 0) return { rule: 'liveness', text: `${waiting} events are still not published` };
  const { cursor } = redis.model;
  if (cursor !== postgres.database.xmax) return { rule: 'liveness', text: `the cursor stays at ${cursor}` };
  return undefined;
}

function lostChange(history: History, { postgres }: Surroundings): Problem | undefined {
  for (const task of history.tasks.values()) {
    if (task.acknowledged && postgres.database.task(task.taskId))
      return { rule: 'G1', text: `${task.taskId} came back` };
    const above = task.ancestors.find((id) => history.tasks.get(id)?.deletedAtMs !== undefined);
    if (above && task.deletedAtMs === undefined)
      return { rule: 'G1', text: `${above} is deleted, and ${task.taskId} below it is not` };
  }
  for (const change of history.allChanges()) {
    const { taskId, key, version, acknowledged, isLost, isRefused } = change;
    const isGone = history.tasks.get(taskId)?.deletedAtMs !== undefined;
    if (!acknowledged || isLost || isRefused || isGone) continue;
    const stored = postgres.database.stored(taskId, key);
    if (!stored || stored.version < version) {
      return { rule: 'G1', text: `${taskId}/${key} is ${stored?.version}, ${version} was acknowledged` };
    }
  }
  return undefined;
}

function unannounced(history: History, { postgres }: Surroundings): Problem | undefined {
  for (const change of history.allChanges()) {
    const isDurable = change.acknowledged && !change.isLost && !change.isRefused;
    if (isDurable && !history.isRecorded(change.op)) return { rule: 'G5', text: `${change.op} has no event` };
  }
  for (const { op, taskId, superseded } of postgres.database.outbox) {
    const isOfDeleted = superseded && history.tasks.get(taskId)?.deletedAtMs !== undefined;
    if (!history.isAnnounced(op) && !isOfDeleted) return { rule: 'G5', text: `${op} was never published` };
  }
  return undefined;
}

function writtenTwice(history: History): Problem | undefined {
  const seen = new Set<string>();
  for (const { by } of history.allChanges()) {
    if (by === undefined || !history.writtenOnce.has(by)) continue;
    if (seen.has(by)) return { rule: 'G5', text: `${by} was written twice` };
    seen.add(by);
  }
  return undefined;
}

function disagreement(history: History, around: Surroundings): Problem | undefined {
  for (const task of history.tasks.values()) {
    const problem = task.deletedAtMs === undefined ? taskDisagreement(task, around) : deletedTaskProblem(task, around);
    if (problem) return problem;
  }
  return undefined;
}

function taskDisagreement({ taskId }: TaskHistory, { postgres, redis, timeline }: Surroundings): Problem | undefined {
  const { control, index, hashes } = redis.model.dump(taskId);
  if (!control) return undefined;
  for (const [key, record] of control.records) {
    const stored = postgres.database.stored(taskId, key);
    const isSame = stored && stored.op === record.op && isTombstone(stored) !== record.live;
    const isForgotten = !record.live && (!stored || stored.version > record.version);
    if (!isSame && !isForgotten) {
      const text = `${taskId}/${key} is ${record.version} ${record.op} in Redis, ${stored?.version} ${stored?.op} in the database`;
      return { rule: 'G2', text };
    }
    const hash = hashes.get(key)?.attachment;
    if (hash && stored && hash.op === stored.op && !isTombstone(stored) && !sameIdentity(hash, stored)) {
      return { rule: 'G2', text: `${taskId}/${key} is ${hash.id} in Redis, ${stored.id} in the database` };
    }
    const score = index?.scores.get(key);
    if (score !== undefined && stored && !isTombstone(stored) && score !== stored.createdAtMs) {
      return { rule: 'G2', text: `${taskId}/${key} is listed as of ${score}, made at ${stored.createdAtMs}` };
    }
  }
  if (!control.complete) return undefined;
  const missing = postgres.database
    .liveAttachments(taskId, timeline.nowMs)
    .find(({ key }) => !control.records.get(key)?.live);
  return missing && { rule: 'G2', text: `${taskId}/${missing.key} is missing in a complete Redis` };
}

function deletedTaskProblem({ taskId }: TaskHistory, { redis }: Surroundings): Problem | undefined {
  const { control } = redis.model.dump(taskId);
  const live = [...(control?.records ?? [])].find(([, record]) => record.live);
  return live && { rule: 'G2', text: `${taskId}/${live[0]} is alive in Redis, its task is deleted` };
}

function sameIdentity(a: Attachment, b: Attachment): boolean {
  return a.id === b.id && a.createdAtMs === b.createdAtMs && a.createdBy === b.createdBy;
}
