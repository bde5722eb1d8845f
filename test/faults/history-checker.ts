import { nameOf, type Call, type Evidence, type History, type OutboxRow } from './history';
import { KeyHistory } from './key-history';
import { TaskHistory } from './task-history';

/** What is wrong with a history and its outcome, one line for each problem; empty if nothing is. */
export function violations(history: History, evidence: Evidence): string[] {
  const places = new Map<string, number>();
  evidence.announced.forEach((op, place) => places.has(op) || places.set(op, place));
  const known = new Set([...evidence.outbox, ...evidence.taskEvents].map(({ op }) => op));
  const isKnown = (op: string) => known.has(op) || history.undone?.announced.has(op) === true;
  return [
    ...violationsOfTasks(history, evidence, places),
    ...violationsOfKeys(history, evidence, places),
    ...[...places.keys()].filter((op) => !isKnown(op)).map((op) => `announced, and not recorded: ${op}`),
  ];
}

/** The place at which each op was announced first. */
type Places = ReadonlyMap<string, number>;

function violationsOfTasks(history: History, evidence: Evidence, places: Places): string[] {
  const { taskAttempts, sightings } = history;
  const taskIds = new Set([...taskAttempts, ...sightings, ...evidence.tasks].map(({ taskId }) => taskId));
  return [...taskIds].flatMap((id) => {
    const of = <T extends { taskId: string }>(all: readonly T[]) => all.filter(({ taskId }) => taskId === id);
    const [stored] = of(evidence.tasks);
    const events = of(evidence.taskEvents);
    const task = new TaskHistory(of(taskAttempts), events, history.undone);
    const problems = [
      ...of(sightings).flatMap((sighting) => task.problemsOf(sighting, isCalm(history, sighting))),
      ...task.problemsOfOutcome(stored, of(evidence.stored)),
      ...task.problemsOfEvents(events, stored),
      ...task.problemsOfAnnouncements(events, of(evidence.outbox), places),
    ];
    return problems.map((problem) => `${id}: ${problem}`);
  });
}

function violationsOfKeys(history: History, evidence: Evidence, places: Places): string[] {
  const refs = new Map([...history.attempts, ...history.reads].map((ref) => [nameOf(ref), ref]));
  return [...refs].flatMap(([name, { taskId }]) => {
    const of = <T extends { taskId: string; key: string }>(all: readonly T[]) =>
      all.filter((one) => nameOf(one) === name);
    const outbox = of(evidence.outbox);
    const [task] = evidence.tasks.filter((one) => one.taskId === taskId);
    const { lostUntilMs, undone } = history;
    const isTaskDeleted = task?.isDeleted ?? undone !== undefined;
    const taskDeletions = history.taskAttempts.filter((one) => one.taskId === taskId && one.kind === 'delete');
    const circumstances = { taskDeletions, isTaskDeleted, homeless: of(evidence.homeless), lostUntilMs, undone };
    const key = new KeyHistory(of(history.attempts), outbox, circumstances);
    const [stored] = of(evidence.stored);
    const problems = [
      ...of(history.reads).flatMap((read) => key.problemsOf(read, isCalm(history, read))),
      ...key.problemsOfOutcome(stored),
      ...key.problemsOfOutbox(stored),
      // What only came to PostgreSQL when the task had gone is not announced.
      ...problemsOfEvents(isTaskDeleted ? outbox.filter(({ superseded }) => !superseded) : outbox, places),
    ];
    return problems.map((problem) => `${name}: ${problem}`);
  });
}

function isCalm({ calm }: History, { startedAtMs }: Call): boolean {
  return calm.some(({ fromMs, toMs }) => startedAtMs >= fromMs && startedAtMs <= toMs);
}

/** Each at least once, and in the order of versions, except those that a newer change had overtaken. */
function problemsOfEvents(outbox: readonly OutboxRow[], places: Places): string[] {
  const missing = outbox.filter(({ op, published }) => !published || !places.has(op));
  const problems = missing.map((row) => `not announced: ${JSON.stringify(row)}`);
  const inOrder = outbox
    .filter(({ op, superseded }) => !superseded && places.has(op))
    .sort((one, other) => (places.get(one.op) as number) - (places.get(other.op) as number));
  for (const [i, row] of inOrder.entries()) {
    const before = inOrder[i - 1];
    if (before && before.version > row.version) problems.push(`announced too late: ${JSON.stringify(row)}`);
  }
  return problems;
}
