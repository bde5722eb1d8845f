import { element } from './elements.js';

/** @import { Entry, SearchIndex } from './search-index.js' */

/** Finds methods and fields. The slash moves the focus to it. */
export class SearchBox {
  /** @param {SearchIndex} index */
  constructor(index) {
    this.index = index;
    /** @type {Entry[]} */
    this.found = [];
    this.selected = 0;
    this.input = element('input', {
      id: 'search',
      type: 'search',
      role: 'combobox',
      autocomplete: 'off',
      spellcheck: 'false',
      placeholder: 'Search methods and fields',
      'aria-label': 'Search methods and fields',
      'aria-controls': 'found',
      'aria-expanded': 'false',
      'aria-keyshortcuts': '/',
      input: () => this.update(),
      focus: () => this.update(),
      blur: () => this.close(),
      keydown: (event) => this.press(event),
    });
    this.list = element('ul', { id: 'found', role: 'listbox', 'aria-label': 'What was found', hidden: true });
    // Otherwise the input would lose the focus, and close the list, before the click.
    this.list.addEventListener('mousedown', (event) => event.preventDefault());
    this.none = element('p', { class: 'off-screen', role: 'status' });
    const key = element('kbd', { 'aria-hidden': 'true' }, '/');
    this.element = element('div', { class: 'search', role: 'search' }, this.input, key, this.list, this.none);
    document.addEventListener('keydown', (event) => this.summon(event));
  }

  /** @param {KeyboardEvent} event */
  summon(event) {
    const isTyping = event.target instanceof Element && event.target.matches('input, textarea, select');
    if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.input.focus();
    this.input.select();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && this.found.length > 0) {
      this.select((this.selected + step + this.found.length) % this.found.length);
    } else if (event.key === 'Enter') {
      const entry = this.found[this.selected];
      if (entry) this.open(entry);
    } else if (event.key === 'Escape') {
      this.input.value = '';
      this.close();
    } else {
      return;
    }
    event.preventDefault();
  }

  update() {
    const query = this.input.value.trim();
    this.found = this.index.find(query);
    const options = this.found.map((entry, index) =>
      element(
        'li',
        { role: 'option', id: `found-${index}`, click: () => this.open(entry) },
        element('code', {}, entry.title),
        element('span', {}, entry.about),
      ),
    );
    const nothing = element('li', { role: 'option', 'aria-disabled': 'true' }, 'Nothing was found.');
    this.list.replaceChildren(...(options.length > 0 ? options : [nothing]));
    this.show(query !== '');
    this.none.textContent = query === '' ? '' : `${this.found.length} found`;
    this.select(0);
  }

  /** @param {boolean} isOpen */
  show(isOpen) {
    this.list.hidden = !isOpen;
    this.input.setAttribute('aria-expanded', String(isOpen));
  }

  close() {
    this.show(false);
    this.input.removeAttribute('aria-activedescendant');
  }

  /** @param {number} index */
  select(index) {
    this.selected = index;
    for (const [at, option] of [...this.list.children].entries()) {
      option.setAttribute('aria-selected', String(at === index));
      if (at === index) option.scrollIntoView({ block: 'nearest' });
    }
    if (this.found[index]) this.input.setAttribute('aria-activedescendant', `found-${index}`);
    else this.input.removeAttribute('aria-activedescendant');
  }

  /** @param {Entry} entry */
  open(entry) {
    this.input.value = '';
    this.close();
    const hash = `#${encodeURIComponent(entry.anchor)}`;
    // The same place again: the browser would not say that anything has changed.
    if (location.hash === hash) window.dispatchEvent(new HashChangeEvent('hashchange'));
    else location.hash = hash;
  }
}
