import type { DomainEvent } from '../../core/domain/domain-event';
import type { TraceContext } from '../../core/domain/trace-context';
import type { EventPage, EventQuery, Outbox, OutboxChange, OutboxChanges, OutboxEvent } from '../../core/ports/outbox';
import { timestamp } from './attachment-row';
import { EventReader } from './event-reader';
import type { NatsUse } from './nats-use';
import type { Query } from './pooled-session';
import type { PostgresConnection } from './postgres-connection';
import { IDENTITY_COLUMNS, identityOf, PostgresStoreServer, type IdentityRow } from './postgres-store-server';
import type { PublisherSession } from './publisher-session';
import { readFit } from './schema-fitness';

const UNPUBLISHED = 'SELECT * FROM waiting_events($1, $2)';
/** By the op as well: after a change of servers another event may have the number. */
const MARK_PUBLISHED = 'DELETE FROM outbox_waiting WHERE seq = ANY ($1) AND op_id = ANY ($2)';

const BACKLOG = `
  SELECT (SELECT count(*)::integer FROM outbox_waiting) AS count, extract(epoch FROM clock_timestamp() - (
    SELECT at FROM outbox_waiting ORDER BY seq LIMIT 1
  ))::float * 1000 AS age`;

/**
 * The part of the outbox that no transaction can add to any more, in the order of xid: in any other order a transaction
 * that commits late would be passed over. The limit ends between two transactions, as one may have more rows than any
 * limit. Rows of earlier epochs may be among them: to project a change again only forgets more than necessary.
 * Materialized, so that no plan searches all rows for the youngest. In one row: what the identity takes is spent once.
 */
const CHANGES = `
  WITH recent AS MATERIALIZED (
    SELECT xid FROM outbox WHERE at >= now() - $3 * interval '1 millisecond'
  ), bounds AS MATERIALIZED (
    SELECT xmin, xmax, CASE WHEN $1::xid8 <= xmin THEN $1::xid8 ELSE
      coalesce((SELECT xid FROM recent ORDER BY xid LIMIT 1), xmin)
    END AS first
    FROM (SELECT pg_snapshot_xmin(now) AS xmin, pg_snapshot_xmax(now) AS xmax FROM pg_current_snapshot() AS now) AS seen
  )
  SELECT bounds.xmin, bounds.xmax, ${IDENTITY_COLUMNS}, (
    SELECT coalesce(json_agg(change ORDER BY xid, seq), '[]') FROM (
      SELECT xid, seq, kind, task_id, key, version, op_id, event ->> 'type' AS type FROM outbox
      WHERE xid >= (SELECT first FROM bounds) AND xid < (SELECT xmin FROM bounds) AND NOT superseded AND kind <> 'task'
      ORDER BY xid FETCH FIRST $2 ROWS WITH TIES
    ) AS change
  ) AS changes
  FROM bounds, database_identity AS identity`;

/** The same as `CHANGES` where a reader has all of them already, at a fraction of the cost. */
const HORIZON = `
  SELECT pg_snapshot_xmin(now) AS xmin, pg_snapshot_xmax(now) AS xmax, ${IDENTITY_COLUMNS}
  FROM pg_current_snapshot() AS now, database_identity AS identity`;

const XMAX = 'SELECT pg_snapshot_xmax(pg_current_snapshot()) AS xmax';

/** Apart from each other, so that the parts of the next days are there even if none can be dropped now. */
const CREATE_DAYS = 'SELECT create_outbox_days()';
const PURGE = 'SELECT purge_outbox($1, $2) AS more';
/** Of the part for rows that have no day of their own. */
const PURGED_ROWS = 1000;
/** A day is gone within milliseconds; then PostgreSQL removes its files, which takes the disk a second for each GB. */
const PURGE_TIMEOUT_MS = 30_000;

interface OutboxRow {
  seq: string;
  task_id: string;
  event: DomainEvent;
  trace: TraceContext | null;
  served_to: string;
}
type HorizonRow = { xmin: string; xmax: string } & IdentityRow;
interface ChangeRow {
  xid: string;
  kind: 'attachment' | 'task_deleted';
  task_id: string;
  key: string;
  version: number;
  op_id: string;
  type: DomainEvent['type'];
}

export class PostgresOutbox implements Outbox {
  private readonly events: EventReader;
  /** The organisation that `unpublished` has served last: those behind it are the next. */
  private servedTo = '';
  private onHorizon: () => void = () => undefined;
  /** As of the last call of `changes`. */
  private lastHorizon?: number;
  /** The position that the last call of `changes` has reached, if it found no changes. */
  private quietAt?: number;

  constructor(
    private readonly connection: PostgresConnection,
    /** Undefined for an embedded database, which no other replica can open. */
    private readonly publisher?: PublisherSession,
    /** Undefined if no other replica can have NATS. */
    private readonly natsUse?: NatsUse,
  ) {
    this.events = new EventReader(connection);
  }

  onRecorded(listener: () => void): void {
    this.connection.onChange(listener);
    this.onHorizon = listener;
  }

  async unpublished(limit: number): Promise<readonly OutboxEvent[] | undefined> {
    if (this.natsUse && !(await this.natsUse.mayPublish())) {
      await this.standDown();
      return undefined;
    }
    const rows = await this.asPublisher((query) => query<OutboxRow>(UNPUBLISHED, [limit, this.servedTo]));
    this.servedTo = rows?.[0]?.served_to ?? '';
    return rows?.map(outboxEventOfRow);
  }

  async standDown(): Promise<void> {
    await this.publisher?.standDown();
  }

  async markPublished(events: readonly OutboxEvent[]): Promise<void> {
    const seqs = events.map(({ seq }) => seq);
    const ops = events.map(({ event }) => event.metadata.eventId);
    await this.connection.query(MARK_PUBLISHED, [seqs, ops]);
  }

  async backlog(): Promise<{ count: number; oldestAgeMs: number }> {
    const [row] = await this.connection.query<{ count: number; age: number | null }>(BACKLOG);
    return { count: row?.count ?? 0, oldestAgeMs: Math.max(0, row?.age ?? 0) };
  }

  read(query: EventQuery, timeoutMs: number): Promise<EventPage | undefined> {
    return this.events.read(query, timeoutMs);
  }

  async changes(from: number | undefined, limit: number, lookBackMs: number): Promise<OutboxChanges> {
    const [{ xmin, xmax, ...row }, found] = await this.readChanges(from, limit, lookBackMs);
    // The rows that were read are of an epoch that had to end: the caller finds that its positions are of another one.
    const identity = identityOf(row) ?? (await new PostgresStoreServer(this.connection).look());
    const last = found.length < limit ? undefined : found.at(-1);
    const to = last ? Number(last.xid) + 1 : Number(xmin);
    this.quietAt = found.length === 0 ? to : undefined;
    const horizon = Number(xmax);
    if (horizon !== this.lastHorizon) this.onHorizon();
    this.lastHorizon = horizon;
    return { changes: found.map(changeOfRow), to, horizon, identity };
  }

  async horizon(timeoutMs: number): Promise<number> {
    const [row] = await this.connection.query<{ xmax: string }>(XMAX, [], timeoutMs);
    return Number(row?.xmax);
  }

  async purge(beforeMs: number): Promise<{ more: boolean }> {
    await this.connection.query(CREATE_DAYS);
    const [row] = await this.connection.query<{ more: boolean }>(
      PURGE,
      [timestamp(beforeMs), PURGED_ROWS],
      PURGE_TIMEOUT_MS,
    );
    return { more: row?.more === true };
  }

  private async readChanges(
    from: number | undefined,
    limit: number,
    lookBackMs: number,
  ): Promise<[HorizonRow, readonly ChangeRow[]]> {
    if (from !== undefined && from === this.quietAt) {
      const [row] = await readFit<HorizonRow>(this.connection, HORIZON);
      if (Number(row.xmin) === from) return [row, []];
    }
    type Row = HorizonRow & { changes: readonly ChangeRow[] };
    const [row] = await readFit<Row>(this.connection, CHANGES, [from, limit, lookBackMs]);
    return [row, row.changes];
  }

  private asPublisher<T>(work: (query: Query) => Promise<T>): Promise<T | undefined> {
    if (!this.publisher) return work((text, values) => this.connection.query(text, values));
    return this.publisher.lead(work, (run) => this.connection.admits(run));
  }
}

function outboxEventOfRow({ seq, task_id, event, trace }: OutboxRow): OutboxEvent {
  return { seq: Number(seq), taskId: task_id, event, ...(trace && { trace }) };
}

function changeOfRow({ kind, task_id, key, version, op_id, type }: ChangeRow): OutboxChange {
  const change = { taskId: task_id, version };
  if (kind === 'task_deleted') return { kind: 'task-deleted', ...change };
  return { kind, key, op: op_id, deleted: type !== 'task.attachment_created', ...change };
}
