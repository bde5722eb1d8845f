import { parseError } from './json-rpc-error';

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const UPPER_E = 0x45;
const BACKSLASH = 0x5c;
const LOWER_E = 0x65;
const LOWER_U = 0x75;
/** By code: what may follow a backslash, but `u`. */
const ESCAPED = new Set(Array.from('"\\/bfnrt', codeOf));
const LITERALS = new Map(['true', 'false', 'null'].map((word) => [codeOf(word), word]));
const HEX_DIGITS = new Set(Array.from('0123456789abcdefABCDEF', codeOf));
/** In UTF-16 units: about a millisecond of work. */
const SLICE = 128 * 1024;

export const BRACKET = 0x5b;
export const BRACE = 0x7b;
const END_OF_ARRAY = 0x5d;
const END_OF_OBJECT = 0x7d;

/** Work in steps, so that other messages may be served between two of them. */
export type Steps<T> = Generator<void, T, void>;

/** Takes all of them at once. */
export function completed<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * Checks a JSON text from its beginning to its end, without making anything of it: `JSON.parse` would take as long as
 * fifty times for many small objects. Throws the error of a text that is not JSON.
 */
export class JsonScanner {
  at = 0;
  private nextPause = SLICE;
  /** Of the containers around `at`, which are objects. */
  private areObjects = new Uint8Array(64);

  constructor(readonly text: string) {}

  /** The code of what comes next behind white space; NaN at the end. */
  next(): number {
    const { text } = this;
    for (let { at } = this; ; at++) {
      const code = text.charCodeAt(at);
      if (code === SPACE || code === LINE_FEED || code === CARRIAGE_RETURN || code === TAB) continue;
      this.at = at;
      return code;
    }
  }

  get isPauseDue(): boolean {
    if (this.at < this.nextPause) return false;
    this.nextPause = this.at + SLICE;
    return true;
  }

  /** The next one of the elements or members of a container that has been entered; false behind its end. */
  hasNext(isFirst: boolean, isObject: boolean): boolean {
    const code = this.next();
    if (code === (isObject ? END_OF_OBJECT : END_OF_ARRAY)) {
      this.at += 1;
      return false;
    }
    if (isFirst) return true;
    if (code !== COMMA) throw parseError();
    this.at += 1;
    // No end may follow a comma; a value that is missing is noticed by itself.
    return true;
  }

  /** Passes over the name of a member and its colon; returns where the name stands. */
  passName(): { readonly start: number; readonly end: number } {
    if (this.next() !== QUOTE) throw parseError();
    const start = this.at;
    this.at += 1;
    while (!this.passPartOfString());
    const end = this.at;
    if (this.next() !== COLON) throw parseError();
    this.at += 1;
    return { start, end };
  }

  /** Passes over a value of any depth. */
  *passValue(): Steps<void> {
    let depth = 0;
    do {
      const code = this.next();
      let isFirst = code === BRACE || code === BRACKET;
      if (isFirst) {
        this.at += 1;
        this.enter(depth++, code === BRACE);
      } else if (code === QUOTE) {
        this.at += 1;
        while (!this.passPartOfString()) if (this.isPauseDue) yield;
      } else this.passScalar(code);
      while (depth > 0) {
        const isObject = this.areObjects[depth - 1] === 1;
        if (this.hasNext(isFirst, isObject)) {
          if (isObject) this.passName();
          break;
        }
        depth -= 1;
        isFirst = false;
      }
      if (this.isPauseDue) yield;
    } while (depth > 0);
  }

  /** Nothing but white space may be left. */
  end(): void {
    if (!Number.isNaN(this.next())) throw parseError();
  }

  private enter(depth: number, isObject: boolean): void {
    if (depth === this.areObjects.length) {
      const larger = new Uint8Array(2 * depth);
      larger.set(this.areObjects);
      this.areObjects = larger;
    }
    this.areObjects[depth] = isObject ? 1 : 0;
  }

  private passScalar(code: number): void {
    if (code === MINUS || isDigit(code)) return this.passNumber();
    const literal = LITERALS.get(code);
    if (literal === undefined || !this.text.startsWith(literal, this.at)) throw parseError();
    this.at += literal.length;
  }

  /** Behind its first quote; false if there is more of it. */
  private passPartOfString(): boolean {
    const { text } = this;
    const end = this.at + SLICE;
    let { at } = this;
    for (; at < end; at++) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) break;
      if (code === BACKSLASH) at = endOfEscape(text, at);
      else if (!(code >= SPACE)) throw parseError();
    }
    this.at = at;
    if (at >= end) return false;
    this.at += 1;
    return true;
  }

  private passNumber(): void {
    if (this.text.charCodeAt(this.at) === MINUS) this.at += 1;
    if (this.text.charCodeAt(this.at) === ZERO) this.at += 1;
    else this.passDigits();
    if (this.text.charCodeAt(this.at) === DOT) {
      this.at += 1;
      this.passDigits();
    }
    const exponent = this.text.charCodeAt(this.at);
    if (exponent !== LOWER_E && exponent !== UPPER_E) return;
    this.at += 1;
    const sign = this.text.charCodeAt(this.at);
    if (sign === PLUS || sign === MINUS) this.at += 1;
    this.passDigits();
  }

  private passDigits(): void {
    const { text } = this;
    let { at } = this;
    while (isDigit(text.charCodeAt(at))) at += 1;
    if (at === this.at) throw parseError();
    this.at = at;
  }
}

/** Where the last character of the escape stands that begins with the backslash at `start`. */
function endOfEscape(text: string, start: number): number {
  const escaped = text.charCodeAt(start + 1);
  if (ESCAPED.has(escaped)) return start + 1;
  const end = start + 5;
  if (escaped !== LOWER_U) throw parseError();
  for (let at = start + 2; at <= end; at++) if (!HEX_DIGITS.has(text.charCodeAt(at))) throw parseError();
  return end;
}

function codeOf(character: string): number {
  return character.charCodeAt(0);
}

function isDigit(code: number): boolean {
  return code >= ZERO && code < COLON;
}
