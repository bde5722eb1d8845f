import { CodeBlock } from './code-block.js';
import { element, uniqueId } from './elements.js';
import { credentialOf, LANGUAGES } from './snippets.js';

/** @import { Call } from './snippets.js' */

/** The language that was chosen last, for all methods. */
let chosen = 0;

/** The same call in several languages, as tabs. */
export class SnippetView {
  /** @param {boolean} hasNats */
  constructor(hasNats) {
    this.hasNats = hasNats;
    this.block = new CodeBlock('The same call');
    this.note = element('p', { class: 'hint' });
    const panelId = uniqueId();
    this.tabs = LANGUAGES.map(({ name }, index) =>
      element(
        'button',
        { type: 'button', role: 'tab', 'aria-controls': panelId, click: () => this.choose(index) },
        name,
      ),
    );
    const list = element('div', { role: 'tablist', class: 'tabs', 'aria-label': 'The same call in' }, this.tabs);
    list.addEventListener('keydown', (event) => this.move(event));
    this.panel = element('div', { role: 'tabpanel', id: panelId }, this.block.element, this.note);
    this.element = element('div', { class: 'snippets' }, element('h3', {}, 'The same call'), list, this.panel);
    /** @type {() => Call | undefined} */
    this.callOf = () => undefined;
    this.isDue = false;
  }

  /**
   * Writes the call before the next frame: many keys may be pressed until then.
   *
   * @param {() => Call} callOf
   */
  show(callOf) {
    this.callOf = callOf;
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.write();
    });
  }

  /** A text that is not JSON yet leaves the last call as it is. */
  write() {
    const language = LANGUAGES[chosen];
    for (const [index, tab] of this.tabs.entries()) {
      tab.setAttribute('aria-selected', String(index === chosen));
      tab.tabIndex = index === chosen ? 0 : -1;
    }
    const call = this.callOf();
    if (!language || !call || !isJson(call.params)) return;
    this.block.show(language.write(call));
    const notes = [];
    const { variable } = credentialOf(call);
    if (call.needsCredential) notes.push(`Put your ${call.hasToken ? 'token' : 'key'} into the variable ${variable}.`);
    if (language.name === 'NATS' && !this.hasNats) notes.push('This replica has no NATS server (NATS_URL).');
    this.note.textContent = notes.join(' ');
  }

  /** @param {number} index */
  choose(index) {
    chosen = index;
    this.write();
  }

  /** @param {KeyboardEvent} event */
  move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.choose((chosen + step + LANGUAGES.length) % LANGUAGES.length);
    this.tabs[chosen]?.focus();
  }
}

/** @param {string} text */
function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
