/** @typedef {string | Node | null | undefined | false} Child */

let ids = 0;

/** An id that no other element of the page has. */
export function uniqueId() {
  ids += 1;
  return `element-${ids}`;
}

/**
 * Makes an element. Text becomes text nodes: nothing that a caller has stored is ever read as HTML.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Readonly<Record<string, string | boolean | ((event: any) => void) | undefined>>} [attributes] a function listens to
 *   the event of its name
 * @param {...(Child | readonly Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, '');
    else if (typeof value === 'string') made.setAttribute(name, value);
  }
  for (const child of children.flat()) if (child) made.append(child);
  return made;
}

/**
 * Text in which backticks mark code.
 *
 * @param {string} text
 * @returns {Node[]}
 */
export function richText(text) {
  return text
    .split('`')
    .map((part, index) => (index % 2 === 1 ? element('code', {}, part) : document.createTextNode(part)));
}

/**
 * A name that may be long: a line may end after each of its words.
 *
 * @param {string} name
 */
export function breakable(name) {
  return name.split(/(?<=[._])/).flatMap((word) => [word, document.createElement('wbr')]);
}

/**
 * @param {string} text
 * @param {string} [kind] of its colour
 */
export function badge(text, kind = 'plain') {
  return element('span', { class: `badge ${kind}` }, text);
}

/**
 * Something that is shown only when it is asked for, and made only then.
 *
 * @param {Child | readonly Child[]} summary
 * @param {() => Child | readonly Child[]} content
 */
export function disclosure(summary, content) {
  const details = element('details', {}, element('summary', {}, summary));
  const open = () => {
    for (const child of [content()].flat()) if (child) details.append(child);
  };
  details.addEventListener('toggle', open, { once: true });
  return details;
}
