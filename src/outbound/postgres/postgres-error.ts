import { types } from 'node:util';
import { StoreError } from '../../core/ports/store-error';

/** Connection exceptions, insufficient resources, shutdown or start-up, and a server that has become read-only. */
const UNAVAILABLE = /^(08|53|57P|25006)/;
/** Cancelled by its time limit; idle in a transaction for too long. */
const TIMEOUT = ['57014', '25P03'];
/** A lock was not free in time. */
const BUSY = '55P03';
/** Data that a column does not accept, a violated constraint, more than a row or an index can hold. */
const REFUSED = /^(22|23|54)/;

export function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('postgres', outcomeOf(error), { cause: error });
}

/** Whether the error is a response of the server that leaves the session open. */
export function isAnswer(error: unknown): boolean {
  const code = sqlStateOf(error);
  return code !== undefined && !/^(08|57P)/.test(code);
}

function outcomeOf(error: unknown): StoreError['outcome'] {
  if (!types.isNativeError(error) || error.name === 'TypeError') return 'failed';
  const code = sqlStateOf(error);
  // An error without the server's code is one of the connection. Only a read that takes too long has its own message.
  if (code === undefined) return error.message === 'Query read timeout' ? 'timeout' : 'unavailable';
  if (TIMEOUT.includes(code)) return 'timeout';
  if (code === BUSY) return 'busy';
  if (REFUSED.test(code)) return 'refused';
  return UNAVAILABLE.test(code) ? 'unavailable' : 'failed';
}

/** Errors of the operating system also have a code, but no severity. */
function sqlStateOf(error: unknown): string | undefined {
  if (!(types.isNativeError(error) && 'severity' in error && 'code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
