import { StoreError } from '../../core/ports/store-error';
import type { Query } from './pooled-session';
import { isForbidden, isReadOnly } from './postgres-error';

/** A statement that no call has repeated for so long may be allowed again. */
const REMEMBERED_MS = 60_000;
/** Functions that create tables run as the role that owns them. */
const REMEDY = 'so run deploy/grants.sql again as the role that owns its tables, and the database, too';

/**
 * The statements that the server refuses whatever their data, although it answers others: the role lacks a privilege,
 * or sessions are read-only. A statement is allowed again when it has succeeded.
 */
export class RefusedStatements {
  private readonly refusals = new Map<string, { readonly reason: string; readonly atMs: number }>();

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** Of the one that has been refused for the longest time; undefined if none is. */
  get reason(): string | undefined {
    for (const [text, { reason, atMs }] of this.refusals) {
      if (this.nowMs() - atMs < REMEMBERED_MS) return reason;
      this.refusals.delete(text);
    }
    return undefined;
  }

  around(query: Query): Query {
    return async (text, values) => {
      try {
        const rows = await query(text, values);
        if (this.refusals.size > 0) this.refusals.delete(text);
        return rows as never[];
      } catch (error) {
        const reason = reasonOf(error);
        if (reason !== undefined) this.refusals.set(text, { reason, atMs: this.nowMs() });
        throw error;
      }
    };
  }
}

/** What the server says of these errors names tables and statements, never data. */
function reasonOf(error: unknown): string | undefined {
  const cause = error instanceof StoreError ? error.cause : undefined;
  if (isForbidden(cause)) return `the role lacks a privilege, ${REMEDY}: ${cause.message}.`;
  if (isReadOnly(cause)) return `the server takes no writes: ${cause.message}.`;
  return undefined;
}
