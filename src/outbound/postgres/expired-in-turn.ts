import { timestamp } from './attachment-row';
import type { PostgresConnection } from './postgres-connection';

/** How many organisations that have rows with a time to live are looked at together. */
const MAX_ORGANIZATIONS = 1000;

export interface ExpiringTable {
  readonly name: string;
  /** What is read of a row; `id` is among it, and never null. */
  readonly columns: string;
  /** By `expires_at` first. There is an index with the organisation in front of it. */
  readonly order: string;
  /** Of the row `row`, besides that it has expired. */
  readonly condition: string;
}

/** The rows of a table that have expired. Keeps the place among more organisations than it looks at together. */
export class ExpiredInTurn<Row extends { readonly id: string }> {
  private readonly oldest: string;
  private readonly inTurn: string;
  /** Of more organisations than are looked at together, those behind this one are the next. */
  private lookedUpTo = '';

  constructor(
    private readonly connection: PostgresConnection,
    table: ExpiringTable,
    private readonly nameOf: (row: Row) => string,
  ) {
    const { name, columns, order, condition } = table;
    this.oldest = `SELECT ${columns} FROM ${name} AS row WHERE expires_at <= $1 AND ${condition} ORDER BY ${order} LIMIT $2`;
    this.inTurn = inTurnStatement(table);
  }

  /**
   * At most `limit`, of each organisation those that expired first. If there are more, organisations take turns: each
   * has its first row before any has its second, and so on.
   */
  async find(nowMs: number, limit: number): Promise<readonly Row[]> {
    const values = [timestamp(nowMs), limit];
    const oldest = await this.connection.query<Row>(this.oldest, values);
    // If these are all, no organisation waits for another one.
    if (oldest.length < limit) return oldest;
    type Found = Row & { readonly up_to: string | null };
    const rows = await this.connection.query<Found>(this.inTurn, [...values, this.lookedUpTo]);
    this.lookedUpTo = rows[0]?.up_to ?? '';
    // Without any, there is one row that says how far was looked.
    const inTurn = rows.filter(({ id }) => (id as string | null) !== null);
    const names = new Set(inTurn.map(this.nameOf));
    return [...inTurn, ...oldest.filter((row) => !names.has(this.nameOf(row)))].slice(0, limit);
  }
}

/**
 * One step in the index for each organisation behind $3, whatever it has. `up_to` is the last one, or null if there are
 * no more.
 */
function inTurnStatement({ name, columns, order, condition }: ExpiringTable): string {
  const firstBehind = (organization: string) => `
    SELECT organization, expires_at FROM ${name} WHERE expires_at IS NOT NULL AND organization > ${organization}
    ORDER BY organization, expires_at LIMIT 1`;
  return `
    WITH RECURSIVE first AS (
      (${firstBehind('$3')})
      UNION ALL
      SELECT next.* FROM first CROSS JOIN LATERAL (${firstBehind('first.organization')}) AS next
    ), looked_at AS MATERIALIZED (
      SELECT organization, expires_at FROM first LIMIT ${MAX_ORGANIZATIONS}
    ), waiting AS (
      SELECT organization AS owner FROM looked_at WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
    )
    SELECT up_to, ${columns} FROM (
      SELECT CASE count(*) WHEN ${MAX_ORGANIZATIONS} THEN max(organization) END AS up_to FROM looked_at
    ) AS looked LEFT JOIN (waiting CROSS JOIN LATERAL (
      SELECT ${columns} FROM ${name} AS row WHERE organization = owner AND expires_at <= $1 AND ${condition}
      ORDER BY ${order} LIMIT $2) AS expired) ON true
    ORDER BY row_number() OVER (PARTITION BY owner ORDER BY ${order}), ${order} LIMIT $2`;
}
