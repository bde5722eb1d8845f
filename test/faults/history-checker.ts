import {
  nameOf,
  type Attempt,
  type Evidence,
  type History,
  type OutboxRow,
  type Read,
  type StoredRow,
} from './history';

/** What is wrong with a history and with what has come of it, one line for each fault; empty where nothing is. */
export function violations(history: History, evidence: Evidence): string[] {
  const refs = new Map([...history.attempts, ...history.reads].map((ref) => [nameOf(ref), ref]));
  const ofKeys = [...refs.keys()].flatMap((name) => {
    const of = <T extends { taskId: string; key: string }>(all: readonly T[]) =>
      all.filter((one) => nameOf(one) === name);
    const outbox = of(evidence.outbox);
    const key = new KeyHistory(of(history.attempts), outbox);
    const [stored] = of(evidence.stored);
    const isCalm = ({ startedAtMs }: Read) =>
      history.calm.some(({ fromMs, toMs }) => startedAtMs >= fromMs && startedAtMs <= toMs);
    const problems = [
      ...of(history.reads).flatMap((read) => key.problemsOf(read, isCalm(read))),
      ...key.problemsOfOutcome(stored),
      ...key.problemsOfOutbox(stored),
      ...problemsOfEvents(outbox, evidence.announced),
    ];
    return problems.map((problem) => `${name}: ${problem}`);
  });
  const known = new Set(evidence.outbox.map(({ op }) => op));
  const strangers = evidence.announced.filter((op) => !known.has(op)).map((op) => `announced, and not recorded: ${op}`);
  return [...ofKeys, ...strangers];
}

/** All that was tried under one key. */
class KeyHistory {
  private readonly puts: ReadonlyMap<string, Attempt>;
  private readonly deletions: readonly Deletion[];
  private readonly acknowledged: readonly Acknowledged[];

  constructor(
    private readonly attempts: readonly Attempt[],
    private readonly outbox: readonly OutboxRow[],
  ) {
    this.puts = new Map(attempts.filter(({ kind }) => kind === 'put').map((attempt) => [attempt.name, attempt]));
    const deletes = new Map(attempts.filter(({ kind }) => kind === 'delete').map((attempt) => [attempt.name, attempt]));
    // A deletion that was refused for its version and tried again may have left more than one: all take effect.
    this.deletions = outbox.flatMap(({ deletedBy, version }) => {
      const attempt = deletedBy === undefined ? undefined : deletes.get(deletedBy);
      return attempt ? [{ attempt, version }] : [];
    });
    this.acknowledged = attempts.flatMap((attempt) => {
      const version = attempt.outcome === 'acknowledged' ? this.versionOf(attempt) : undefined;
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

  /** The acknowledged write with the highest version, or something newer whose outcome nobody knows. */
  problemsOfOutcome(stored: StoredRow | undefined): string[] {
    const highest = this.highest(() => true);
    if (!stored) return highest > 0 ? [`lost: ${highest} was acknowledged, and nothing is stored`] : [];
    const what = JSON.stringify(stored);
    if (stored.version < highest) return [`lost: ${highest} was acknowledged, and stored is ${what}`];
    const writer = this.writerOf(stored);
    if (!writer) return [`made up: nobody wrote ${what}`];
    const acknowledged = writer.outcome === 'acknowledged' ? this.versionOf(writer) : undefined;
    if (stored.version === highest && acknowledged !== highest) return [`another write has the version of ${what}`];
    if (stored.version > highest && acknowledged !== undefined) return [`${acknowledged} came back as ${what}`];
    return [];
  }

  problemsOfOutbox(stored: StoredRow | undefined): string[] {
    const problems: string[] = [];
    for (const attempt of this.attempts.filter(({ outcome }) => outcome === 'acknowledged')) {
      const rows = this.outbox.filter(({ deletedBy, version }) =>
        attempt.kind === 'put' ? deletedBy === undefined && version === attempt.version : deletedBy === attempt.name,
      );
      if (rows.length === 0) problems.push(`acknowledged, and not in the outbox: ${JSON.stringify(attempt)}`);
      if (rows.length > 1 && attempt.kind === 'put') problems.push(`twice in the outbox: ${JSON.stringify(attempt)}`);
    }
    const effective = this.outbox.filter(({ superseded }) => !superseded);
    for (const [i, row] of effective.entries()) {
      const before = effective[i - 1];
      if (before && before.version >= row.version)
        problems.push(`not in the order of versions: ${JSON.stringify(row)}`);
    }
    const last = effective.at(-1);
    if (last?.op !== stored?.op) problems.push(`stored is ${stored?.op}, and the last in the outbox ${last?.op}`);
    return problems;
  }

  private problemsOfFound(read: Read, found: { version: number; name: string }): string[] {
    const put = this.puts.get(found.name);
    if (!put || put.startedAtMs > read.endedAtMs) return ['made up: nobody had written that'];
    const acknowledged = put.version;
    return acknowledged !== undefined && found.version > acknowledged ? [`${acknowledged} under a newer version`] : [];
  }

  /**
   * "Not found" is PostgreSQL's word, or that of a deletion in the journal: one of the two must have had no reason to
   * know better. Each knows of all that it acknowledged itself.
   */
  private problemsOfAbsence(read: Read): string[] {
    if (!read.byName) return [];
    const before = this.deletions.filter(({ attempt }) => attempt.startedAtMs <= read.endedAtMs);
    const stored = this.highest(({ attempt }) => !attempt.journaled && precedes(attempt, read));
    if (stored === 0 || before.some(({ version }) => version >= stored)) return [];
    const journaled = this.highest(({ attempt }) => attempt.journaled && precedes(attempt, read));
    const mayBeJournaled = before.filter(({ attempt }) => attempt.journaled || attempt.outcome === 'unknown');
    if (mayBeJournaled.some(({ version }) => version >= journaled)) return [];
    return [`not found, though ${stored} was acknowledged and nothing has deleted it`];
  }

  private isOlder({ found, endedAtMs }: Read, floor: number): boolean {
    if (found) return found.version < floor;
    const isDeleted = this.deletions.some(
      ({ attempt, version }) => version >= floor && attempt.startedAtMs <= endedAtMs,
    );
    return floor > 0 && !isDeleted;
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

interface Deletion {
  readonly attempt: Attempt;
  readonly version: number;
}

interface Acknowledged {
  readonly attempt: Attempt;
  readonly version: number;
}

function precedes(attempt: Attempt, read: Read): boolean {
  return attempt.endedAtMs < read.startedAtMs;
}

/** At least once each, and in the order of versions, but for those that something newer had overtaken. */
function problemsOfEvents(outbox: readonly OutboxRow[], announced: readonly string[]): string[] {
  const places = new Map<string, number>();
  announced.forEach((op, place) => places.has(op) || places.set(op, place));
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
