/** @import { Description, Schema } from './description.js' */

const NUMBERS = new Intl.NumberFormat('en');
const LARGEST = Number.MAX_SAFE_INTEGER;

/**
 * What kind of value it is, in a few words. A null that only means "left out" is not mentioned.
 *
 * @param {Schema} schema
 * @param {Description} description
 * @returns {string}
 */
export function typeText(schema, description) {
  const { type, format, items, anyOf, title, ...rest } = description.resolve(schema);
  if (rest.const !== undefined) return JSON.stringify(rest.const);
  if (rest.enum) return 'one of';
  if (format === 'date-time') return 'time';
  if (anyOf && type === undefined) {
    const alternatives = anyOf.filter((one) => one.type !== 'null');
    return alternatives.map((one) => typeText(one, description)).join(', or ');
  }
  const [kind = 'any JSON value'] = [type ?? []].flat().filter((one) => one !== 'null');
  if (kind === 'array') return `array of ${items ? nameOf(items, description) : 'any JSON value'}`;
  return kind === 'object' && title !== undefined ? title : kind;
}

/**
 * @param {Schema} schema
 * @param {Description} description
 */
function nameOf(schema, description) {
  const resolved = description.resolve(schema);
  return resolved.enum ? 'these' : typeText(resolved, description);
}

/**
 * The words that are allowed, as JSON.
 *
 * @param {Schema} schema
 * @param {Description} description
 * @returns {string[]}
 */
export function wordsOf(schema, description) {
  const { enum: words, anyOf = [], items } = description.resolve(schema);
  if (words) return words.filter((word) => word !== null).map((word) => JSON.stringify(word));
  const inner = [...anyOf, ...(items ? [items] : [])];
  return [...new Set(inner.flatMap((one) => (one.properties ? [] : wordsOf(one, description))))];
}

/**
 * Each limit as a text; code stands in backticks.
 *
 * @param {Schema} schema
 * @param {Description} description
 * @returns {string[]}
 */
export function limitsText(schema, description) {
  const resolved = description.resolve(schema);
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, pattern, format } = resolved;
  const limits = [
    range(minimum, maximum === LARGEST ? undefined : maximum, ''),
    range(minLength, maxLength, 'character'),
    range(minItems, maxItems, 'element'),
    bytesText(resolved['x-maxBytes'], '', description),
    bytesText(resolved['x-maxJsonBytes'], ' of JSON', description),
  ];
  const depth = resolved['x-maxDepth'];
  if (depth !== undefined) limits.push(`at most ${depth} levels`);
  if (format === 'http-url') limits.push('absolute, http or https');
  if (format === 'date-time') limits.push('ISO 8601 in UTC');
  else if (pattern !== undefined) limits.push(patternText(pattern));
  return limits.filter((limit) => limit !== undefined);
}

/** @param {string} pattern */
function patternText(pattern) {
  const refused = /^\^\[\^([^\]]*)\]\*\$$/.exec(pattern)?.[1];
  return refused === undefined ? `matches \`${pattern}\`` : `without the characters \`${refused}\``;
}

/**
 * @param {number | undefined} least
 * @param {number | undefined} most
 * @param {string} unit
 */
function range(least, most, unit) {
  const last = most ?? least;
  if (last === undefined) return undefined;
  const units = unit && ` ${unit}${last === 1 ? '' : 's'}`;
  if (most === undefined) return `at least ${NUMBERS.format(last)}${units}`;
  return `${least === undefined ? 'at most' : `${NUMBERS.format(least)} to`} ${NUMBERS.format(most)}${units}`;
}

/**
 * @param {number | string | undefined} limit
 * @param {string} of
 * @param {Description} description
 */
function bytesText(limit, of, description) {
  if (limit === undefined) return undefined;
  const bytes = description.bytesOf(limit);
  const name = typeof limit === 'string' ? ` (\`${limit}\`)` : '';
  return bytes === undefined ? undefined : `at most ${NUMBERS.format(bytes)} bytes${of}${name}`;
}
