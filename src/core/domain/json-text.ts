import { MAX_JSON_DEPTH } from './limits';

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const WHITESPACE = /[ \t\n\r]/;
const BEYOND_LATIN_1 = /[^\0-\xff]/;

/**
 * A JSON value as the text it came in. Parsing and printing would reorder integer-like keys, respell numbers and drop
 * duplicate members, so both stores keep the text itself, and the response carries it.
 */
export class JsonText {
  static readonly EMPTY_OBJECT = new JsonText('{}');

  /** The edge and the domain both ask: a large value is measured and scanned once. */
  #sizeBytes?: number;
  #isTooDeep?: boolean;

  private constructor(readonly text: string) {}

  /** From text that is known to be valid JSON; white space between tokens is dropped, nothing else is touched. */
  static fromValid(text: string): JsonText {
    return new JsonText(withoutWhitespace(text));
  }

  static of(value: unknown): JsonText {
    return new JsonText(JSON.stringify(value));
  }

  /** Rebuilds what a store kept: no policy, no normalisation. */
  static restore(text: string): JsonText {
    return new JsonText(text);
  }

  /** UTF-8 length of the text. */
  get sizeBytes(): number {
    return (this.#sizeBytes ??= Buffer.byteLength(this.text));
  }

  get isObject(): boolean {
    return this.text.startsWith('{');
  }

  /** The members of an object, in their order; of a repeated name the last one counts, as in `JSON.parse`. */
  members(): Map<string, JsonText> {
    return new Map([...jsonMembers(this.text)].map(([name, text]) => [name, new JsonText(text)]));
  }

  /** Whether an object has more members; repeated names count again. Stops at the first one that is too many. */
  hasMoreMembersThan(max: number): boolean {
    const { text } = this;
    // The shortest is `"":0,`.
    if (text.length < 5 * max) return false;
    let at = firstMember(text);
    for (let count = 0; text.charCodeAt(at) === QUOTE; count++) {
      if (count === max) return true;
      at = afterComma(text, endOfValue(text, valueAfterName(text, endOfString(text, at))));
    }
    return false;
  }

  /**
   * This object with the members of `other` laid over it; a member that is null there is removed. Members that do not
   * change are copied as they stand, many at once: this object may have thousands.
   */
  merge(other: JsonText): JsonText {
    const { text } = this;
    const changes = jsonMembers(other.text);
    const given = new Set(changes.keys());
    const parts: string[] = [];
    let kept = { from: firstMember(text), to: 0 };
    const keep = () => void (kept.to > kept.from && parts.push(text.slice(kept.from, kept.to)));
    for (let at = kept.from; text.charCodeAt(at) === QUOTE;) {
      const nameEnd = endOfString(text, at);
      const end = endOfValue(text, valueAfterName(text, nameEnd));
      const next = afterComma(text, end);
      const name = nameIn(text, at, nameEnd);
      if (given.has(name)) {
        keep();
        kept = { from: next, to: next };
        // A repeated name stands where it came first.
        const value = changes.get(name) ?? 'null';
        if (value !== 'null') parts.push(`${text.slice(at, nameEnd)}:${value}`);
        changes.delete(name);
      } else kept.to = end;
      at = next;
    }
    keep();
    for (const [name, value] of changes) if (value !== 'null') parts.push(`${JSON.stringify(name)}:${value}`);
    return new JsonText(`{${parts.join(',')}}`);
  }

  static fromMembers(members: ReadonlyMap<string, JsonText>): JsonText {
    return new JsonText(objectOf([...members].map(([name, { text }]) => [name, text])));
  }

  /** What keeps this value from being stored; undefined if nothing does. Numbers have any size: they stay text. */
  problem(): string | undefined {
    this.#isTooDeep ??= isNestedDeeper(this.text, MAX_JSON_DEPTH);
    return this.#isTooDeep ? `must not be nested more than ${MAX_JSON_DEPTH} levels deep` : undefined;
  }
}

function isNestedDeeper(text: string, maxDepth: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at) - 1;
    else if (opens(code) && ++depth > maxDepth) return true;
    else if (closes(code)) depth -= 1;
  }
  return false;
}

/** The members of the valid JSON object `text`, each with the text of its value. */
export function jsonMembers(text: string): Map<string, string> {
  const members = new Map<string, string>();
  for (let at = firstMember(text); text.charCodeAt(at) === QUOTE;) {
    const nameEnd = endOfString(text, at);
    const start = valueAfterName(text, nameEnd);
    const end = endOfValue(text, start);
    members.set(nameIn(text, at, nameEnd), text.slice(start, end));
    at = afterComma(text, end);
  }
  return members;
}

/** Of the member name that stands there with its quotes. */
function nameIn(text: string, from: number, to: number): string {
  const name = text.slice(from + 1, to - 1);
  return name.includes('\\') ? (JSON.parse(text.slice(from, to)) as string) : name;
}

function firstMember(text: string): number {
  return skipWhitespace(text, skipWhitespace(text, 0) + 1);
}

function valueAfterName(text: string, nameEnd: number): number {
  return skipWhitespace(text, skipWhitespace(text, nameEnd) + 1);
}

/** The text of an object with these members, each with the text of its value. */
function objectOf(members: Iterable<readonly [name: string, text: string]>): string {
  let text = '';
  for (const [name, value] of members) text += `${text && ','}${JSON.stringify(name)}:${value}`;
  return `{${text}}`;
}

/** The elements of the valid JSON array `text`, each as its own text. */
export function jsonElements(text: string): string[] {
  const elements: string[] = [];
  let at = skipWhitespace(text, skipWhitespace(text, 0) + 1);
  while (at < text.length && !closes(text.charCodeAt(at))) {
    const end = endOfValue(text, at);
    elements.push(text.slice(at, end));
    at = afterComma(text, end);
  }
  return elements;
}

function opens(code: number): boolean {
  return code === 0x5b || code === 0x7b;
}

function closes(code: number): boolean {
  return code === 0x5d || code === 0x7d;
}

function skipWhitespace(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) <= SPACE) at++;
  return at;
}

function afterComma(text: string, from: number): number {
  const at = skipWhitespace(text, from);
  return text.charCodeAt(at) === COMMA ? skipWhitespace(text, at + 1) : at;
}

function endOfValue(text: string, from: number): number {
  const code = text.charCodeAt(from);
  if (code === QUOTE) return endOfString(text, from);
  return opens(code) ? endOfContainer(text, from) : endOfScalar(text, from);
}

function endOfString(text: string, from: number): number {
  // Nearly every string ends at the first quote; to look for each of a million escaped ones would take long.
  const quote = text.indexOf('"', from + 1);
  if (text.charCodeAt(quote - 1) !== BACKSLASH) return quote + 1;
  for (let at = from + 1; ; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at += 1;
  }
}

function endOfContainer(text: string, from: number): number {
  let depth = 0;
  for (let at = from; ; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at) - 1;
    else if (opens(code)) depth += 1;
    else if (closes(code) && --depth === 0) return at + 1;
  }
}

function endOfScalar(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code <= SPACE || code === COMMA || closes(code)) break;
    at++;
  }
  return at;
}

/**
 * A text may have millions of pieces between white space: they are copied by their codes, not put together as strings.
 */
function withoutWhitespace(text: string): string {
  if (!WHITESPACE.test(text)) return text;
  const encoding = BEYOND_LATIN_1.test(text) ? 'utf16le' : 'latin1';
  const codes = new (encoding === 'latin1' ? Uint8Array : Uint16Array)(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      for (; at < end - 1; at++) codes[length++] = text.charCodeAt(at);
    } else if (code <= SPACE) continue;
    codes[length++] = text.charCodeAt(at);
  }
  if (length === text.length) return text;
  return Buffer.from(codes.buffer, 0, length * codes.BYTES_PER_ELEMENT).toString(encoding);
}
