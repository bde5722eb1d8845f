import {
  hasBegunBefore,
  mayBeUndone,
  precedes,
  type OutboxRow,
  type StoredRow,
  type StoredTask,
  type TaskAttempt,
  type TaskEventRow,
  type TaskSighting,
  type Undone,
} from './history';

const CREATED = 'task.created';
const DELETED = 'task.deleted';

/** All that was tried with one task. */
export class TaskHistory {
  private readonly creation?: TaskAttempt;
  private readonly deletions: readonly TaskAttempt[];

  /** A call that a restore has undone may or may not have been seen to take effect. */
  constructor(all: readonly TaskAttempt[], events: readonly TaskEventRow[], undone: Undone | undefined) {
    const isKept = ({ kind, name }: TaskAttempt) =>
      events.some(({ type, deletedBy }) => (kind === 'create' ? type === CREATED : deletedBy === name));
    const attempts = all.map((attempt) =>
      mayBeUndone(attempt, undone) && !isKept(attempt) ? { ...attempt, outcome: 'unknown' as const } : attempt,
    );
    this.creation = attempts.find(({ kind }) => kind === 'create');
    this.deletions = attempts.filter(({ kind }) => kind === 'delete');
  }

  problemsOf(sighting: TaskSighting, isCalm: boolean): string[] {
    const problems = sighting.seen === 'missing' ? this.problemsOfAbsence(sighting) : [];
    if (sighting.seen !== 'missing') {
      const before = this.acknowledgedDeletions.filter((deletion) => precedes(deletion, sighting));
      if (before.some(({ replica }) => replica === sighting.replica))
        problems.push('the replica itself has deleted it');
      else if (isCalm && before.length > 0) problems.push('stale: it had been deleted before');
      else if (sighting.seen === 'changed' && before.length > 0) problems.push('written to after its deletion');
    }
    return problems.map((problem) => `${problem}: ${JSON.stringify(sighting)}`);
  }

  /** Deleted or not as it was acknowledged, for good, together with all that belonged to it. */
  problemsOfOutcome(stored: StoredTask | undefined, rows: readonly StoredRow[]): string[] {
    const problems: string[] = [];
    const isThere = stored !== undefined && !stored.isDeleted;
    if (this.creation?.outcome === 'acknowledged' && !stored) problems.push('lost: its creation was acknowledged');
    if (stored?.isDeleted && this.deletions.length === 0) problems.push('deleted, and no call asked for it');
    if (isThere && this.acknowledgedDeletions.length > 0) problems.push('there, though its deletion was acknowledged');
    if (stored?.isDeleted && !stored.isBlank) problems.push('what it held is left of it after its deletion');
    if (!isThere) problems.push(...rows.map((row) => `left of it after its deletion: ${JSON.stringify(row)}`));
    return problems;
  }

  /** One event for its creation and one for its deletion, which names a caller that asked for it. */
  problemsOfEvents(events: readonly TaskEventRow[], stored: StoredTask | undefined): string[] {
    const types = events.map(({ type }) => type);
    const expected = [...(stored ? [CREATED] : []), ...(stored?.isDeleted ? [DELETED] : [])];
    const problems = types.join() === expected.join() ? [] : [`in the outbox is [${types.join()}] of it`];
    const strangers = events.filter(
      ({ type, deletedBy }) => type === DELETED && !this.deletions.some(({ name }) => name === deletedBy),
    );
    return [...problems, ...strangers.map((row) => `deleted, and no call asked for it: ${JSON.stringify(row)}`)];
  }

  /** Each event at least once; nothing before the creation, and nothing after the deletion. */
  problemsOfAnnouncements(
    events: readonly TaskEventRow[],
    outbox: readonly OutboxRow[],
    places: ReadonlyMap<string, number>,
  ): string[] {
    const problems = events
      .filter(({ op, published }) => !published || !places.has(op))
      .map((row) => `not announced: ${JSON.stringify(row)}`);
    const placeOf = ({ op }: { readonly op: string }) => places.get(op) ?? NaN;
    for (const event of events) {
      const isTooLate = (row: OutboxRow) => event.type === DELETED && placeOf(row) > placeOf(event);
      const isTooEarly = (row: OutboxRow) => event.type === CREATED && placeOf(row) < placeOf(event);
      const misplaced = outbox.filter((row) => isTooLate(row) || isTooEarly(row));
      problems.push(...misplaced.map((row) => `on the wrong side of ${event.type}: ${JSON.stringify(row)}`));
    }
    return problems;
  }

  private get acknowledgedDeletions(): readonly TaskAttempt[] {
    return this.deletions.filter(({ outcome }) => outcome === 'acknowledged');
  }

  /** "Not found" is legal once a deletion has begun, and as long as no creation has been acknowledged. */
  private problemsOfAbsence(sighting: TaskSighting): string[] {
    const isCreated = this.creation?.outcome === 'acknowledged' && precedes(this.creation, sighting);
    const isDeleted = this.deletions.some((deletion) => hasBegunBefore(deletion, sighting));
    return isCreated && !isDeleted ? ['not found, though it was created and not deleted'] : [];
  }
}
