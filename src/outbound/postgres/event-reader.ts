import type { DomainEvent } from '../../core/domain/domain-event';
import type { EventPage, EventQuery } from '../../core/ports/outbox';
import { beginningOf, isPast, parsePosition, positionAt, printPosition, type OutboxPosition } from './outbox-position';
import type { PostgresConnection } from './postgres-connection';
import { SealedText } from './sealed-text';

/** How many rows of the organisation a page may pass by in search of those asked for, for each that it may have. */
const SCANNED_PER_EVENT = 5;

const MAX_SEQ = '9223372036854775807';
/** Shows whatever is there: of an epoch that has ended, nothing is in progress. */
const EVERYTHING = '999999999999999999:999999999999999999:';

/**
 * Compared as pairs and in the order of both, for which no plan reads the rows of all organisations by `seq`. With
 * values that the planner does not know: it takes the pairs for a range with nothing in it, and would sort all of the
 * rows.
 */
function ofOrganization(organization: string, seq: string, end: string): string {
  const [of, from, to] = [`(SELECT ${organization}::text)`, `(SELECT ${seq}::bigint)`, `(SELECT ${end}::bigint)`];
  return `(organization, seq) > (${of}, ${from}) AND (organization, seq) < (${of}, ${to})`;
}

const KEY = 'SELECT key FROM event_position_key';

/** How far before the present a row is looked for that is old enough: what happened since is only counted, not read. */
const STEPS_BACK = [0, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000];

/**
 * The present. No transaction that is still open has drawn a `seq` more than ten minutes ago: all of ours end within
 * seconds. None of an earlier epoch is open, and their transaction ids mean nothing in this one.
 */
const START = `
  WITH present AS MATERIALIZED (
    SELECT coalesce((SELECT seq FROM outbox ORDER BY seq DESC LIMIT 1), 0) AS last
  )
  SELECT epoch, pg_current_snapshot()::text AS now, last, greatest(first_seq - 1, 0, (
    SELECT max(seq) FROM unnest('{${STEPS_BACK.join()}}'::bigint[]) AS back, LATERAL (
      SELECT seq, at FROM outbox WHERE ${ofOrganization('$1', '0', 'last - back + 1')}
      ORDER BY organization DESC, seq DESC LIMIT 1
    ) AS own WHERE at < now() - interval '10 minutes'
  )) AS low
  FROM database_identity, present`;

/**
 * Where an epoch that has ended is followed by the next one. Undefined if it is not of the history of this database.
 */
const END = `
  SELECT epoch AS present, ended ->> 'next' AS next, (ended ->> 'first_seq')::bigint - 1 AS end
  FROM database_identity, LATERAL (SELECT ended_epochs -> $1::text AS ended) AS noted WHERE ended IS NOT NULL`;

/**
 * What became visible between two snapshots, in the order of `seq`. A transaction that commits late is in a later
 * snapshot, and what a snapshot shows of a task begins with its first change. Only rows of the organisation are read,
 * and not more of them than a page may pass by.
 */
const READ = `
  WITH bounds AS MATERIALIZED (
    SELECT $1::pg_snapshot AS since, coalesce($2::pg_snapshot, pg_current_snapshot()) AS until
  ), scanned AS MATERIALIZED (
    SELECT seq, xid, task_id, ancestors, event FROM outbox
    WHERE ${ofOrganization('$4', '$3', '$9')} ORDER BY organization, seq LIMIT $7
  ), found AS (
    SELECT seq, event FROM scanned, bounds
    WHERE NOT pg_visible_in_snapshot(xid, since) AND pg_visible_in_snapshot(xid, until)
      AND ($5::text IS NULL OR task_id = $5) AND ($8::text IS NULL OR task_id = $8 OR $8 = ANY (ancestors))
    ORDER BY seq LIMIT $6
  )
  SELECT (SELECT epoch FROM database_identity), pg_current_snapshot()::text AS now, until::text, seq, event,
    coalesce((SELECT seq FROM outbox ORDER BY seq DESC LIMIT 1), 0) AS last,
    (SELECT seq FROM scanned ORDER BY seq OFFSET $7 - 1) AS scanned_to
  FROM bounds LEFT JOIN found ON true ORDER BY seq`;

type Row = { epoch: string; now: string; until: string; last: string; scanned_to: string | null } & (
  { seq: string; event: DomainEvent } | { seq: null }
);

/** Sealing takes a few microseconds: those of a page would together hold up the event loop. */
class ReadEvent {
  readonly event: DomainEvent;

  constructor(
    private readonly row: { readonly seq: string; readonly event: DomainEvent },
    private readonly sealedAt: (seq: string) => string,
  ) {
    this.event = row.event;
  }

  get position(): string {
    return this.sealedAt(this.row.seq);
  }
}

/** Reads the events of one organisation; positions are sealed, as they count the transactions of all. */
export class EventReader {
  private sealing?: SealedText;

  constructor(private readonly connection: PostgresConnection) {}

  /** As `Outbox.read`. */
  async read(query: EventQuery, timeoutMs: number): Promise<EventPage | undefined> {
    const { organization, after, limit } = query;
    if (after === undefined) return this.start(organization, timeoutMs);
    const position = await this.opened(after, timeoutMs);
    if (!position) return undefined;
    const { epoch, seen, low, within } = position;
    const rows = await this.rows(query, { since: seen, until: within?.until, low: within?.seq ?? low }, timeoutMs);
    if (rows[0].epoch !== epoch) return this.readEnded(query, position, timeoutMs);
    if (!isPast(within?.until ?? seen, rows[0].now)) return undefined;
    return this.pageOf(rows, position, limit, await this.sealer(timeoutMs));
  }

  /**
   * What is left of an epoch that has ended, and then on to the next one. What the reader had of a page is not known to
   * be complete any more: it may get events of that page again.
   */
  private async readEnded(query: EventQuery, position: OutboxPosition, timeoutMs: number) {
    const { epoch, seen, low } = position;
    type End = { present: string; next: string; end: string };
    const [ended] = await this.connection.query<End>(END, [epoch], timeoutMs, query.organization);
    if (!ended) return undefined;
    const bounds = { since: seen, until: EVERYTHING, low, end: String(Number(ended.end) + 1) };
    const rows = await this.rows(query, bounds, timeoutMs);
    // Another epoch has begun in between: both are to be read again.
    if (rows[0].epoch !== ended.present) return { events: [], position: query.after as string, more: true };
    const sealer = await this.sealer(timeoutMs);
    const at = (seq: number) => sealer.seal(printPosition({ epoch, seen, low: seq, last: seq }));
    const found = rows.filter((row) => row.seq !== null);
    const end = found.length === query.limit ? found.at(-1)?.seq : rows[0].scanned_to;
    return {
      events: found.map((row) => new ReadEvent(row, (seq) => at(Number(seq)))),
      position: end ? at(Number(end)) : sealer.seal(printPosition(beginningOf(ended.next, Number(ended.end)))),
      more: true,
    };
  }

  private async rows(
    { organization, taskId, parentId, limit }: EventQuery,
    { since, until, low, end = MAX_SEQ }: { since: string; until?: string; low: number; end?: string },
    timeoutMs: number,
  ): Promise<readonly [Row, ...Row[]]> {
    const values = [since, until, low, organization, taskId, limit, limit * SCANNED_PER_EVENT, parentId, end];
    return (await this.connection.query<Row>(READ, values, timeoutMs, organization)) as [Row, ...Row[]];
  }

  private async start(organization: string, timeoutMs: number): Promise<EventPage> {
    type Start = { epoch: string; now: string; last: string; low: string };
    const [row] = (await this.connection.query<Start>(START, [organization], timeoutMs, organization)) as [Start];
    const position = { epoch: row.epoch, seen: row.now, last: Number(row.last), low: Number(row.low) };
    return { events: [], position: (await this.sealer(timeoutMs)).seal(printPosition(position)), more: false };
  }

  /** Only if the page was read to its end, the position of its last event is that at which the next page begins. */
  private pageOf(rows: readonly [Row, ...Row[]], start: OutboxPosition, limit: number, sealer: SealedText): EventPage {
    const [{ until, scanned_to }] = rows;
    const last = start.within?.last ?? Number(rows[0].last);
    const { within: _, ...before } = start;
    const at = (position: OutboxPosition) => sealer.seal(printPosition(position));
    const behind = (seq: string) => at({ ...before, within: { until, last, seq: Number(seq) } });
    const found = rows.filter((row) => row.seq !== null);
    const end = found.length === limit ? found.at(-1)?.seq : scanned_to;
    const position = end ? behind(end) : at(positionAt(until, last, before));
    const lastSeq = found.at(-1)?.seq;
    const events = found.map((row) => new ReadEvent(row, (seq) => (seq === lastSeq ? position : behind(seq))));
    return { events, position, more: Boolean(end) };
  }

  /** Undefined if it is no position of this database. */
  private async opened(sealed: string, timeoutMs: number): Promise<OutboxPosition | undefined> {
    const text = (await this.sealer(timeoutMs)).open(sealed);
    return text === undefined ? undefined : parsePosition(text);
  }

  private async sealer(timeoutMs: number): Promise<SealedText> {
    if (this.sealing) return this.sealing;
    const [row] = (await this.connection.query<{ key: Buffer }>(KEY, [], timeoutMs)) as [{ key: Buffer }];
    this.sealing = new SealedText(row.key);
    return this.sealing;
  }
}
