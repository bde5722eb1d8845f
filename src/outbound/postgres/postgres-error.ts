import { types } from 'node:util';
import { StoreError } from '../../core/ports/store-error';

/** Cancelled by its time limit; idle in a transaction for too long. */
const TIMEOUT = ['57014', '25P03'];
/** Rolled back because it and another transaction waited for each other, or could not both take effect. */
const COLLISION = ['40P01', '40001'];
/** A lock was not free in time, or the table of locks was full. */
const BUSY = ['55P03', '53200', ...COLLISION];
/**
 * Data that a type does not accept, that violates a check, or that is missing. Anything else may be no fault of the
 * data.
 */
const REFUSED = /^(22...|23502|23514)$/;
/**
 * The server or the role does not serve for now, whatever the statement: connection exceptions, invalid authorization
 * such as a rotated password, a database that is missing or takes no sessions (55000), insufficient resources, shutdown
 * or start-up, a missing privilege, a server that has become read-only.
 */
const UNAVAILABLE = /^(08...|28...|3D000|53...|55000|57P..|42501|25006)$/;

/**
 * If the server refuses the role or does not have the database, that is an outage for a running replica. At the start
 * it may be the wrong server.
 */
export function startErrorOf(error: unknown): StoreError {
  const isRefusal = /^(28...|3D000|42501)$/.test(sqlStateOf(error) ?? '');
  return isRefusal ? new StoreError('postgres', 'failed', { cause: error }) : storeErrorOf(error);
}

export function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('postgres', outcomeOf(error), { cause: error });
}

/** Whether the error is a response of the server that leaves the session open. */
export function isAnswer(error: unknown): boolean {
  const code = sqlStateOf(error);
  return code !== undefined && !/^(08|57P)/.test(code) && !isPanic(error);
}

/** Whether the server has ended over it, as when it cannot write its log: its code says why. */
function isPanic(error: unknown): boolean {
  return (error as { readonly severity?: unknown }).severity === 'PANIC';
}

/**
 * Whether the server refused the statement before it ran, because the session's prepared statement is missing, or was
 * planned for a table that has been altered since. In another session it may work.
 */
export function isStale(error: unknown): boolean {
  const cause = error instanceof StoreError ? error.cause : error;
  const code = sqlStateOf(cause) ?? '';
  // The first code also stands for everything that PostgreSQL cannot do.
  if (code === '0A000') return (cause as { routine?: string }).routine === 'RevalidateCachedQuery';
  return ['26000', '42P05'].includes(code);
}

/** Whether the server has rolled the transaction back for the sake of another one: repeated, it may succeed. */
export function isCollision(error: unknown): boolean {
  const cause = error instanceof StoreError ? error.cause : error;
  return COLLISION.includes(sqlStateOf(cause) ?? '');
}

/** Whether the role lacks a privilege. */
export function isForbidden(error: unknown): error is Error {
  return sqlStateOf(error) === '42501';
}

/** Whether the statement would write, and the server or the session is read-only. */
export function isReadOnly(error: unknown): error is Error {
  return sqlStateOf(error) === '25006';
}

function outcomeOf(error: unknown): StoreError['outcome'] {
  if (!types.isNativeError(error) || error.name === 'TypeError') return 'failed';
  const code = sqlStateOf(error);
  // An error without the server's code is one of the connection. Only a read that takes too long has its own message.
  if (code === undefined) return error.message === 'Query read timeout' ? 'timeout' : 'unavailable';
  if (isPanic(error)) return 'unavailable';
  if (TIMEOUT.includes(code)) return 'timeout';
  if (BUSY.includes(code)) return 'busy';
  if (REFUSED.test(code)) return 'refused';
  return UNAVAILABLE.test(code) ? 'unavailable' : 'failed';
}

/** Errors of the operating system also have a code, but no severity. */
function sqlStateOf(error: unknown): string | undefined {
  if (!(types.isNativeError(error) && 'severity' in error && 'code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
