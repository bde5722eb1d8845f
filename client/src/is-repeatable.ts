import { METHODS } from './generated/methods.ts';
import type { Method } from './typed-calls.ts';

/** Undefined without types: a method that is misspelt, or newer than this client. The service knows better. */
export function factsOf(method: Method): (typeof METHODS)[Method] | undefined {
  return METHODS[method];
}

/**
 * Whether a second call with the same params does no harm if the first one has taken effect, and gets the same answer
 * or one that says so.
 */
export function isRepeatable(method: Method, params: object): boolean {
  const { id, taskId, ifAbsent, ifVersion } = params as Partial<Record<string, unknown>>;
  // Without an id of the caller there would be two tasks.
  if (method === 'task.create') return isGiven(id) || isGiven(taskId);
  // The condition holds no longer after the first call: the second one would report a conflict with itself.
  return factsOf(method)?.idempotent === true && ifAbsent !== true && !isGiven(ifVersion);
}

function isGiven(param: unknown): boolean {
  return param !== undefined && param !== null;
}
