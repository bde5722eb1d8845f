import {
  hasBegunBefore,
  mayBeUndone,
  precedes,
  type Attempt,
  type HomelessWrite,
  type OutboxRow,
  type Read,
  type StoredRow,
  type TaskAttempt,
  type Undone,
} from './history';

/** What happened to the task and to Redis while the key was written. */
export interface Circumstances {
  readonly taskDeletions: readonly TaskAttempt[];
  /** In the end. */
  readonly isTaskDeleted: boolean;
  /** Those of the key. */
  readonly homeless?: readonly HomelessWrite[];
  readonly lostUntilMs?: number;
  readonly undone?: Undone;
}

/** All that was tried under one key. */
export class KeyHistory {
  private readonly puts: ReadonlyMap<string, Attempt>;
  private readonly deletions: readonly Deletion[];
  /** Clients may have seen their effect before a store lost its data; they took effect nowhere else. */
  private readonly lostDeletions: readonly Attempt[];
  private readonly acknowledged: readonly Acknowledged[];

  constructor(
    private readonly attempts: readonly Attempt[],
    private readonly outbox: readonly OutboxRow[],
    private readonly circumstances: Circumstances,
  ) {
    this.puts = new Map(attempts.filter(({ kind }) => kind === 'put').map((attempt) => [attempt.name, attempt]));
    const deletes = new Map(attempts.filter(({ kind }) => kind === 'delete').map((attempt) => [attempt.name, attempt]));
    this.lostDeletions = [...deletes.values()].filter((attempt) => this.mayBeLost(attempt));
    // A deletion that was refused for its version and tried again may have left several rows: all take effect.
    this.deletions = outbox.flatMap(({ deletedBy, version }) => {
      const attempt = deletedBy === undefined ? undefined : deletes.get(deletedBy);
      return attempt ? [{ attempt, version }] : [];
    });
    this.acknowledged = attempts.flatMap((attempt) => {
      const isKept = attempt.outcome === 'acknowledged' && !this.isLost(attempt);
      const version = isKept ? this.versionOf(attempt) : undefined;
      return version === undefined ? [] : [{ attempt, version }];
    });
  }

  problemsOf(read: Read, isCalm: boolean): string[] {
    const own = this.highest(({ attempt }) => attempt.replica === read.replica && precedes(attempt, read));
    const problems = read.found ? this.problemsOfFound(read, read.found) : this.problemsOfAbsence(read);
    if (this.isOlder(read, own)) problems.push(`older than what the replica itself has acknowledged (${own})`);
    const all = this.highest(({ attempt }) => precedes(attempt, read));
    if (isCalm && this.isOlder(read, all)) problems.push(`stale: ${all} was acknowledged before it was asked for`);
    return problems.map((problem) => `${problem}: ${JSON.stringify(read)}`);
  }

  /** Stored is the acknowledged write with the highest version, or a newer one of unknown outcome. */
  problemsOfOutcome(stored: StoredRow | undefined): string[] {
    if (this.circumstances.isTaskDeleted) return [];
    const highest = this.highest(() => true);
    if (!stored) return highest > 0 ? [`lost: ${highest} was acknowledged, and nothing is stored`] : [];
    const what = JSON.stringify(stored);
    if (stored.version < highest) return [`lost: ${highest} was acknowledged, and stored is ${what}`];
    const writer = this.writerOf(stored);
    if (!writer) return [`made up: no attempt wrote ${what}`];
    const acknowledged = writer.outcome === 'acknowledged' ? this.versionOf(writer) : undefined;
    if (stored.version === highest && acknowledged !== highest) return [`another write has the version of ${what}`];
    if (stored.version > highest && acknowledged !== undefined) return [`${acknowledged} came back as ${what}`];
    return [];
  }

  problemsOfOutbox(stored: StoredRow | undefined): string[] {
    const problems: string[] = [];
    for (const attempt of this.attempts.filter(({ outcome }) => outcome === 'acknowledged')) {
      const rows = this.rowsOf(attempt);
      if (rows.length === 0 && !this.isLost(attempt))
        problems.push(`acknowledged, and not in the outbox: ${JSON.stringify(attempt)}`);
      if (rows.length > 1 && attempt.kind === 'put') problems.push(`twice in the outbox: ${JSON.stringify(attempt)}`);
    }
    const effective = this.outbox.filter(({ superseded }) => !superseded);
    for (const [i, row] of effective.entries()) {
      const before = effective[i - 1];
      if (before && before.version >= row.version)
        problems.push(`not in the order of versions: ${JSON.stringify(row)}`);
    }
    const last = effective.at(-1);
    if (!this.circumstances.isTaskDeleted && last?.op !== stored?.op)
      problems.push(`stored is ${stored?.op}, and the last in the outbox ${last?.op}`);
    return problems;
  }

  private problemsOfFound(read: Read, found: { version: number; name: string }): string[] {
    const put = this.puts.get(found.name);
    if (!put || put.startedAtMs > read.endedAtMs) return ['made up: no attempt had written that'];
    if (this.isUndone(found) && read.startedAtMs >= this.seenUntilMs) return ['the restore has undone it'];
    const acknowledged = put.version;
    return acknowledged !== undefined && found.version > acknowledged ? [`${acknowledged} under a newer version`] : [];
  }

  /**
   * "Not found" comes from PostgreSQL, or from a deletion in the journal. At least one of the two must not have known
   * better: each knows of everything that it has acknowledged itself.
   */
  private problemsOfAbsence(read: Read): string[] {
    if (!read.byName || this.isLostDeletionSeen(read)) return [];
    const before = this.deletions.filter(({ attempt }) => hasBegunBefore(attempt, read));
    const stored = this.highest(({ attempt }) => !attempt.journaled && precedes(attempt, read));
    if (stored === 0 || before.some(({ version }) => version >= stored)) return [];
    const journaled = this.highest(({ attempt }) => attempt.journaled && precedes(attempt, read));
    const mayBeJournaled = before.filter(({ attempt }) => attempt.journaled || attempt.outcome === 'unknown');
    if (mayBeJournaled.some(({ version }) => version >= journaled)) return [];
    return [`not found, though ${stored} was acknowledged and nothing has deleted it`];
  }

  private isOlder(read: Read, floor: number): boolean {
    if (read.found) return read.found.version < floor;
    if (floor === 0 || this.isLostDeletionSeen(read)) return false;
    const isDeleted = this.deletions.some(({ attempt, version }) => version >= floor && hasBegunBefore(attempt, read));
    return !isDeleted && !this.circumstances.taskDeletions.some((deletion) => hasBegunBefore(deletion, read));
  }

  private isLostDeletionSeen(read: Read): boolean {
    return read.startedAtMs < this.seenUntilMs && this.lostDeletions.some((deletion) => hasBegunBefore(deletion, read));
  }

  private get seenUntilMs(): number {
    const { lostUntilMs = -Infinity, undone } = this.circumstances;
    return Math.max(lostUntilMs, undone?.seenUntilMs ?? -Infinity);
  }

  /** Whether PostgreSQL was restored and does not have it. */
  private isUndone({ version }: { readonly version: number }): boolean {
    return this.circumstances.undone !== undefined && !this.outbox.some((row) => row.version === version);
  }

  /** Of an acknowledged write, whether a store has lost it that may lose it. */
  private isLost(attempt: Attempt): boolean {
    return this.mayBeLost(attempt) && (attempt.journaled || mayBeUndone(attempt, this.circumstances.undone));
  }

  /** Whether no store may have been told of it but one that has lost it. */
  private mayBeLost(attempt: Attempt): boolean {
    const { lostUntilMs = -Infinity, undone, homeless = [] } = this.circumstances;
    const isInTime = attempt.startedAtMs < lostUntilMs || mayBeUndone(attempt, undone);
    const isDeadLetter = attempt.journaled && homeless.some((write) => isOf(attempt, write));
    return (isInTime || isDeadLetter) && this.rowsOf(attempt).length === 0;
  }

  private rowsOf(attempt: Attempt): readonly OutboxRow[] {
    return this.outbox.filter((row) => isOf(attempt, row));
  }

  private writerOf({ name, op }: StoredRow): Attempt | undefined {
    if (name !== undefined) return this.puts.get(name);
    const { deletedBy } = this.outbox.find((row) => row.op === op) ?? {};
    return this.deletions.find(({ attempt }) => attempt.name === deletedBy)?.attempt;
  }

  private versionOf(attempt: Attempt): number | undefined {
    if (attempt.kind === 'put') return attempt.version;
    const versions = this.deletions.filter((one) => one.attempt === attempt).map(({ version }) => version);
    return versions.length > 0 ? Math.max(...versions) : undefined;
  }

  private highest(which: (one: Acknowledged) => boolean): number {
    return this.acknowledged.filter(which).reduce((highest, { version }) => Math.max(highest, version), 0);
  }
}

function isOf({ kind, name, version }: Attempt, write: { readonly version: number; readonly deletedBy?: string }) {
  return kind === 'put' ? write.deletedBy === undefined && write.version === version : write.deletedBy === name;
}

interface Deletion {
  readonly attempt: Attempt;
  readonly version: number;
}

interface Acknowledged {
  readonly attempt: Attempt;
  readonly version: number;
}
