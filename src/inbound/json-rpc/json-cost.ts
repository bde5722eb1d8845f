/** Names take longest: each object with new ones gets a shape, or a table, of its own. */
const NAME_COST = 3;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const BRACKET = 0x5b;
const BRACE = 0x7b;

/**
 * What a JSON text costs to parse: what takes time, and memory, are arrays, objects and names, not the length of strings.
 * Takes a small part of that time.
 */
export function jsonCost(text: string): number {
  let cost = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i);
    else if (code === COLON) cost += NAME_COST;
    else if (code === BRACKET || code === BRACE) cost += 1;
  }
  return cost;
}

/** Where the string that begins at `start` ends; the end of the text if it does not. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}
