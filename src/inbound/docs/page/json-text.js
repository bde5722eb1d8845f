/**
 * JSON as text. A value is shown and sent as it was spelt: `JSON.parse` would round large numbers, drop repeated
 * members and move members whose names are numbers.
 */

const INDENT = '  ';
/** One element for each token: more of them would make the page slow. */
const MAX_COLOURED_CHARACTERS = 100_000;

/**
 * The tokens of a JSON text, without the space between them.
 *
 * @param {string} text which must be JSON
 * @returns {string[]}
 */
export function tokensOf(text) {
  const tokens = [];
  for (let start = 0; start < text.length;) {
    const end = endOfToken(text, start);
    if (text.charAt(start).trim() !== '') tokens.push(text.slice(start, end));
    start = end;
  }
  return tokens;
}

/**
 * @param {string} text
 * @param {number} start
 */
function endOfToken(text, start) {
  const first = text.charAt(start);
  if (first === '"') return endOfString(text, start);
  let end = start + 1;
  if (/[\w.+-]/.test(first)) while (/[\w.+-]/.test(text.charAt(end))) end += 1;
  return end;
}

/**
 * No regular expression: it could need too much stack for a string of several MiB.
 *
 * @param {string} text
 * @param {number} start
 */
function endOfString(text, start) {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charAt(end - 1 - backslashes) === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return end + 1;
  }
  return text.length;
}

/** @param {string} text */
export function minified(text) {
  return tokensOf(text).join('');
}

/** @param {string} text */
export function indented(text) {
  const tokens = tokensOf(text);
  let depth = 0;
  return tokens
    .map((token, index) => {
      const next = tokens[index + 1] ?? '';
      const line = () => `\n${INDENT.repeat(depth)}`;
      if (token === '{' || token === '[') {
        if (next === '}' || next === ']') return token;
        depth += 1;
        return token + line();
      }
      if (token === '}' || token === ']') {
        if (tokens[index - 1] === '{' || tokens[index - 1] === '[') return token;
        depth -= 1;
        return line() + token;
      }
      if (token === ',') return token + line();
      return token === ':' ? ': ' : token;
    })
    .join('');
}

/**
 * The parts of an object or array, each as its own JSON text; of an object, those with a name.
 *
 * @param {string} text
 * @returns {{ name?: string, text: string }[]}
 */
export function partsOf(text) {
  const inner = tokensOf(text).slice(1, -1);
  /** @type {string[][]} */
  const parts = inner.length > 0 ? [[]] : [];
  let depth = 0;
  for (const token of inner) {
    if (token === '{' || token === '[') depth += 1;
    if (token === '}' || token === ']') depth -= 1;
    if (token === ',' && depth === 0) parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts.map(([first = '', second, ...rest]) =>
    second === ':' ? { name: JSON.parse(first), text: rest.join('') } : { text: [first, second, ...rest].join('') },
  );
}

/**
 * With an element of its own for each name and value, so that they have colours.
 *
 * @param {string} text indented JSON
 * @returns {Node[]}
 */
export function coloured(text) {
  if (text.length > MAX_COLOURED_CHARACTERS) return [document.createTextNode(text)];
  const nodes = [];
  for (let start = 0; start < text.length;) {
    const end = endOfToken(text, start);
    const token = text.slice(start, end);
    const kind = kindOf(token, text.charAt(end));
    const span = kind && document.createElement('span');
    if (span) {
      span.className = kind;
      span.textContent = token;
    }
    nodes.push(span || document.createTextNode(token));
    start = end;
  }
  return nodes;
}

/**
 * @param {string} token
 * @param {string} next
 */
function kindOf(token, next) {
  if (token.startsWith('"')) return next === ':' ? 'json-name' : 'json-string';
  return /^[\w-]/.test(token) ? 'json-value' : undefined;
}
