import { JsonText } from '../../core/domain/json-text';
import { replyTooLarge } from './json-rpc-error';

/** In UTF-16 units: a hundred of the largest attachments fit, and a process of modest size can hold it. */
const MAX_REPLY_LENGTH = 128 * 1024 * 1024;
/** Shorter texts are free: the number of calls bounds their sum. */
const FREE_LENGTH = 4096;

/** Limits a reply: a small message may ask for more than memory can hold. All calls of a message share one budget. */
export class ReplyBudget {
  private left = MAX_REPLY_LENGTH;

  /** Throws a `JsonRpcError` if the reply would become too large. */
  spend(text: string): string {
    if (text.length > FREE_LENGTH && (this.left -= text.length) < 0) throw replyTooLarge();
    return text;
  }
}

/**
 * `JSON.stringify` for views, except that a `JsonText` is written as the text that came in. The names of members are
 * not escaped: views have plain words for names, and data of callers is never a name, only a text or a string.
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
