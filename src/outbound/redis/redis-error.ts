import { ReplyError } from 'ioredis';
import { StoreError } from '../../core/ports/store-error';

/**
 * Replies of a server that can be reached but cannot serve for now; `NOPERM` refuses the user a command or a key,
 * `EPOCH` is the scripts' own.
 */
const NOT_SERVING = /^(EPOCH|LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|NOPERM) /;

export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('redis', outcomeOf(error), { cause: error });
}

/** The client's reply, with the errors of the port. */
export async function orStoreError<T>(reply: Promise<T>): Promise<T> {
  try {
    return await reply;
  } catch (error) {
    throw toStoreError(error);
  }
}

/** For reading a key that may hold a foreign type. */
export function nothingIfWrongType(error: Error): undefined {
  if (error.message.startsWith('WRONGTYPE')) return undefined;
  throw error;
}

function outcomeOf(error: unknown): StoreError['outcome'] {
  const message = error instanceof Error ? error.message : '';
  if (error instanceof ReplyError) return NOT_SERVING.test(message) ? 'unavailable' : 'failed';
  // Any other error of the client means that it has no connection to send on, or has lost it.
  return message === 'Command timed out' ? 'timeout' : 'unavailable';
}
