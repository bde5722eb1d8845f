import type { DomainEvent } from '../../core/domain/domain-event';
import type { EventPage, EventQuery } from '../../core/ports/outbox';
import { isPast, parsePosition, positionAt, printPosition, type OutboxPosition } from './outbox-position';
import type { PostgresConnection } from './postgres-connection';
import { SealedText } from './sealed-text';

/** How many rows of the organisation a page may pass by in search of those asked for, for each that it may have. */
const SCANNED_PER_EVENT = 5;

const MAX_SEQ = '9223372036854775807';

/**
 * Compared as pairs and in the order of both, for which no plan reads the rows of all organisations by `seq`. With values
 * that the planner does not know: it takes the pairs for a range with nothing in it, and would sort all of the rows.
 */
function ofOrganization(organization: string, seq: string): string {
  const [of, from] = [`(SELECT ${organization}::text)`, `(SELECT ${seq}::bigint)`];
  return `(organization, seq) > (${of}, ${from}) AND (organization, seq) < (${of}, ${MAX_SEQ})`;
}

const KEY = 'SELECT key FROM event_position_key';

/**
 * The present. No transaction that is still open has drawn a `seq` more than ten minutes ago: all of ours end within
 * seconds.
 */
const START = `
  SELECT pg_current_snapshot()::text AS now,
    coalesce((SELECT seq FROM outbox ORDER BY seq DESC LIMIT 1), 0) AS last,
    coalesce((
      SELECT seq FROM outbox WHERE ${ofOrganization('$1', '0')} AND at < now() - interval '10 minutes'
      ORDER BY organization DESC, seq DESC LIMIT 1
    ), 0) AS low`;

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
    WHERE ${ofOrganization('$4', '$3')} ORDER BY organization, seq LIMIT $7
  ), found AS (
    SELECT seq, event FROM scanned, bounds
    WHERE NOT pg_visible_in_snapshot(xid, since) AND pg_visible_in_snapshot(xid, until)
      AND ($5::text IS NULL OR task_id = $5) AND ($8::text IS NULL OR task_id = $8 OR $8 = ANY (ancestors))
    ORDER BY seq LIMIT $6
  )
  SELECT pg_current_snapshot()::text AS now, until::text, seq, event,
    coalesce((SELECT seq FROM outbox ORDER BY seq DESC LIMIT 1), 0) AS last,
    (SELECT seq FROM scanned ORDER BY seq OFFSET $7 - 1) AS scanned_to
  FROM bounds LEFT JOIN found ON true ORDER BY seq`;

type Row = { now: string; until: string; last: string; scanned_to: string | null } & (
  { seq: string; event: DomainEvent } | { seq: null }
);

/** Reads the events of one organisation; positions are sealed, as they count the transactions of all. */
export class EventReader {
  private sealing?: SealedText;

  constructor(private readonly connection: PostgresConnection) {}

  /** As `Outbox.read`. */
  async read(query: EventQuery, timeoutMs: number): Promise<EventPage | undefined> {
    const { organization, taskId, parentId, after, limit } = query;
    if (after === undefined) return this.start(organization, timeoutMs);
    const position = await this.opened(after, timeoutMs);
    if (!position) return undefined;
    const { seen, low, within } = position;
    const values = [seen, within?.until, within?.seq ?? low, organization, taskId, limit];
    const more = [limit * SCANNED_PER_EVENT, parentId];
    const rows = (await this.connection.query<Row>(READ, [...values, ...more], timeoutMs, organization)) as [
      Row,
      ...Row[],
    ];
    if (!isPast(within?.until ?? seen, rows[0].now)) return undefined;
    return this.pageOf(rows, position, limit, await this.sealer(timeoutMs));
  }

  private async start(organization: string, timeoutMs: number): Promise<EventPage> {
    type Start = { now: string; last: string; low: string };
    const [row] = (await this.connection.query<Start>(START, [organization], timeoutMs, organization)) as [Start];
    const position = { seen: row.now, last: Number(row.last), low: Number(row.low) };
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
    const events = found.map(({ event, seq }, i) => ({
      event,
      position: i === found.length - 1 ? position : behind(seq),
    }));
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
