import { jsonCost } from './json-cost';
import { invalidRequest, parseError } from './json-rpc-error';

/** Parsing a smaller message takes no time that another caller would notice. In UTF-16 units, or bytes. */
const LARGE_MESSAGE = 16 * 1024;
/** More than an attachment of the usual limit can have. */
const MAX_COST = 2 ** 20;

export function isLargeMessage(message: { readonly length: number }): boolean {
  return message.length > LARGE_MESSAGE;
}

/** Throws a `JsonRpcError`, also for a message that would take too long to parse. */
export function parseMessage(text: string): unknown {
  if (isLargeMessage(text) && jsonCost(text) > MAX_COST) {
    const reason = 'the message has too many arrays, objects and names';
    throw invalidRequest({ code: 'INVALID_REQUEST', reason });
  }
  try {
    return JSON.parse(text);
  } catch {
    throw parseError();
  }
}
