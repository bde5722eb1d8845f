import { typeText } from './schema-text.js';

/** @import { Description, Method, Schema } from './description.js' */

/**
 * Something that can be found.
 *
 * @typedef {object} Entry
 * @property {string} anchor of the page, without #
 * @property {string} title
 * @property {string} about
 * @property {string} words in lower case, of the title
 * @property {string} more in lower case, of the description
 */

const MAX_FOUND = 12;

/** Methods, their parameters, the members of their results, and errors. */
export class SearchIndex {
  /** @param {Description} description */
  constructor(description) {
    this.entries = description.methods.flatMap((method) => [
      entry(method.name, method.name, method.summary, method.description),
      ...ofMembers(method, description.paramsOf(method), '', description),
      ...ofMembers(method, description.resolve(method.result.schema), 'result.', description),
      ...description
        .ownErrorsOf(method)
        .map(({ word, when }) => entry(`${method.name}:error.${word}`, `${word} of ${method.name}`, 'Error', when)),
    ]);
  }

  /**
   * The best entries that have all the words.
   *
   * @param {string} query
   * @returns {Entry[]}
   */
  find(query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length === 0) return [];
    const ranked = this.entries.map((one) => ({ one, rank: rankOf(one, words) }));
    const found = ranked.filter(({ rank }) => rank < Infinity).sort((a, b) => a.rank - b.rank);
    return found.slice(0, MAX_FOUND).map(({ one }) => one);
  }
}

/**
 * @param {Method} method
 * @param {Schema} schema
 * @param {string} prefix
 * @param {Description} description
 */
function ofMembers(method, schema, prefix, description) {
  const kind = prefix === '' ? 'Parameter' : 'Member of the result';
  return Object.entries(schema.properties ?? {}).map(([name, member]) => {
    const about = `${kind}, ${typeText(member, description)}`;
    return entry(`${method.name}:${prefix}${name}`, `${name} of ${method.name}`, about, member.description ?? '');
  });
}

/**
 * @param {string} anchor
 * @param {string} title
 * @param {string} about
 * @param {string} more
 * @returns {Entry}
 */
function entry(anchor, title, about, more) {
  return { anchor, title, about, words: title.toLowerCase(), more: `${about} ${more}`.toLowerCase() };
}

/**
 * Lower is better; infinite if a word is missing. A name that begins with the word goes before one that contains it,
 * and both before a description; a method before its members.
 *
 * @param {Entry} one
 * @param {readonly string[]} words
 */
function rankOf({ anchor, words: title, more }, words) {
  const isMember = anchor.includes(':') ? 1 : 0;
  const ranks = words.map((word) => {
    const at = title.indexOf(word);
    if (at !== -1) return at === 0 || /[^a-z]/.test(title.charAt(at - 1)) ? 0 : 2;
    return more.includes(word) ? 6 : Infinity;
  });
  return Math.max(...ranks) + isMember + title.length / 1000;
}
