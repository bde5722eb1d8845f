import { copyButton } from './copy-button.js';
import { element } from './elements.js';
import { coloured, indented } from './json-text.js';

/** More is copied and not shown: a browser would be slow. */
const MAX_SHOWN_CHARACTERS = 300_000;

/** Text that can be copied. */
export class CodeBlock {
  /** @param {string} label what it is */
  constructor(label) {
    this.text = '';
    this.code = element('code', {});
    this.more = element('p', { class: 'hint', hidden: true });
    const copy = copyButton(() => this.text, label);
    const region = { class: 'code-block', tabindex: '0', role: 'region', 'aria-label': label };
    this.element = element('div', {}, element('div', region, copy, element('pre', {}, this.code)), this.more);
  }

  /** @param {string} text */
  show(text) {
    this.fill(text, (shown) => [document.createTextNode(shown)]);
  }

  /** @param {string} text JSON, which is shown with line breaks and copied as it is */
  showJson(text) {
    this.fill(text, (shown) => coloured(shown === text ? indented(text) : shown));
  }

  /**
   * @param {string} text
   * @param {(shown: string) => Node[]} nodesOf
   */
  fill(text, nodesOf) {
    this.text = text;
    const shown = text.length > MAX_SHOWN_CHARACTERS ? text.slice(0, MAX_SHOWN_CHARACTERS) : text;
    this.code.replaceChildren(...nodesOf(shown));
    this.more.hidden = shown === text;
    this.more.textContent = `The first ${shown.length} of ${text.length} characters. Copy takes all of them.`;
  }
}

/**
 * @param {string} label
 * @param {unknown} value
 */
export function jsonBlock(label, value) {
  const block = new CodeBlock(label);
  block.showJson(JSON.stringify(value));
  return block.element;
}
