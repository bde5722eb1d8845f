import { JsonText } from '../../core/domain/json-text';
import { replyTooLarge } from './json-rpc-error';

/** In UTF-16 units: a hundred of the largest attachments, and what a process of modest size can hold. */
const MAX_REPLY_LENGTH = 128 * 1024 * 1024;
/** Shorter texts are free: what they add up to is bounded by the number of calls. */
const FREE_LENGTH = 4096;

/** Keeps small messages from asking for replies that no memory can hold. One for all calls of a message. */
export class ReplyBudget {
  private left = MAX_REPLY_LENGTH;

  /** Throws a `JsonRpcError` where the reply would become too large. */
  spend(text: string): string {
    if (text.length > FREE_LENGTH && (this.left -= text.length) < 0) throw replyTooLarge();
    return text;
  }
}

/**
 * `JSON.stringify` for views: a `JsonText` goes out as the very text that came in. The members' names must be plain
 * words, as those of our views are: they are not escaped. What callers send goes out as text or as strings only.
 */
export function writeJson(value: unknown, budget = new ReplyBudget()): string {
  if (typeof value !== 'object' || value === null) return budget.spend(JSON.stringify(value) ?? 'null');
  if (value instanceof JsonText) return budget.spend(value.text);
  if (Array.isArray(value)) return `[${value.map((element) => writeJson(element, budget)).join(',')}]`;
  let members = '';
  for (const name in value) {
    const member = (value as Record<string, unknown>)[name];
    if (member === undefined) continue;
    members += `${members && ','}"${name}":${writeJson(member, budget)}`;
  }
  return `{${members}}`;
}
