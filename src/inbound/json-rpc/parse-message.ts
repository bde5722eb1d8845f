import { outline } from './json-outline';
import { parseError } from './json-rpc-error';
import type { Steps } from './json-scanner';

/** Parsing a smaller message takes no time that another caller would notice. In UTF-16 units, or bytes. */
const LARGE_MESSAGE = 16 * 1024;

export function isLargeMessage(message: { readonly length: number }): boolean {
  return message.length > LARGE_MESSAGE;
}

/** Throws a `JsonRpcError`. A large message is only outlined. */
export function* parseMessage(text: string): Steps<unknown> {
  if (isLargeMessage(text)) return yield* outline(text);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw parseError();
  }
}
