import type { Steps } from './json-scanner';
import { isObject } from './read-call';
import type { ReplyBudget } from './reply-budget';

/** What an endpoint makes of a result in place of what the method has returned. */
export interface Presentation {
  /** What is written. */
  show(value: unknown): Steps<unknown>;
  /** Of the text. A longer one is not written: the call fails. */
  readonly maxBytes?: number;
  /** Of what is read for it; what is larger is not read. Undefined: as much as a reply may have. */
  readonly maxReadBytes?: number;
}

/** The JSON text of a result, as it is presented. Throws a `JsonRpcError` if it is too large. */
export function* writeInSteps(value: unknown, budget: ReplyBudget, presentation?: Presentation): Steps<string> {
  const shown = presentation ? yield* presentation.show(value) : value;
  const maxBytes = presentation?.maxBytes;
  return isObject(shown) ? yield* budget.writeInSteps(shown, maxBytes) : budget.write(shown, maxBytes);
}
