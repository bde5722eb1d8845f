import type { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';

/** A step of a plan as `EXPLAIN (ANALYZE, FORMAT JSON)` prints it; the blocks only with `BUFFERS`. */
export interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly PlanNode[];
}

type Query = (text: string, values?: readonly unknown[]) => Promise<readonly unknown[]>;
type Statement = readonly [text: string, values: readonly unknown[] | undefined];

/** Carries out the statement. The first step is the last to end. */
export async function planOf(query: Query, [text, values]: Statement): Promise<readonly PlanNode[]> {
  const [row] = await query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`, values);
  return nodesOf((row as { 'QUERY PLAN': [{ Plan: PlanNode }] })['QUERY PLAN'][0].Plan);
}

/** How many blocks the statement has looked at. */
export async function blocksOf(query: Query, statement: Statement): Promise<number> {
  const [root] = (await planOf(query, statement)) as [PlanNode];
  return root['Shared Hit Blocks'] + root['Shared Read Blocks'];
}

/** For how many of its calls the statement has been planned, in the session of the query. */
export async function plansOf(
  query: Query,
  [text]: Statement,
): Promise<{ readonly made: number; readonly kept: number }> {
  const [row] = await query(
    `SELECT custom_plans::integer AS made, generic_plans::integer AS kept FROM pg_prepared_statements
     WHERE statement = $1`,
    [text],
  );
  return row as { made: number; kept: number };
}

export function rowsOf(nodes: readonly PlanNode[]): number {
  return nodes.reduce((sum, node) => sum + node['Actual Rows'] * node['Actual Loops'], 0);
}

/** The connection, and the statements that were sent through it. */
export function watched(connection: PostgresConnection): { connection: PostgresConnection; asked: Statement[] } {
  const asked: Statement[] = [];
  const query: PostgresConnection['query'] = (text, values, timeoutMs) => {
    asked.push([text, values]);
    return connection.query(text, values, timeoutMs);
  };
  return { connection: { query } as PostgresConnection, asked };
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}
