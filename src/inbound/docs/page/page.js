import { CallPanel } from './call-panel.js';
import { Credential } from './credential.js';
import { Description } from './description.js';
import { element } from './elements.js';
import { EventsPanel } from './events-panel.js';
import { overview } from './overview.js';
import { methodHead, methodReference } from './reference.js';
import { SearchBox } from './search-box.js';
import { SearchIndex } from './search-index.js';

/** @import { Method } from './description.js' */

/** @typedef {{ readonly head: Node, readonly reference: Node, readonly panel?: Node }} View */

const TITLE = 'Dossier API';

/** The page: one method at a time, which the hash of the URL names. */
class Page {
  /** @param {Description} description */
  constructor(description) {
    this.description = description;
    this.credential = new Credential();
    this.events = new EventsPanel(this.credential);
    this.main = byId('main');
    /**
     * What was entered stays while other methods are shown.
     *
     * @type {Map<string, View>}
     */
    this.views = new Map();
    this.menu = byId('menu');
  }

  start() {
    byId('version').textContent = this.description.version;
    byId('tools').append(new SearchBox(new SearchIndex(this.description)).element);
    if (this.description.needsCredential) byId('tools').append(this.credential.element);
    this.menu.append(...this.description.groups.map(({ name, methods }) => groupOf(name, methods)));
    byId('skip').addEventListener('click', (event) => {
      event.preventDefault();
      this.focus();
    });
    const toggle = byId('toggle');
    toggle.addEventListener('click', () => this.openMenu(toggle.getAttribute('aria-expanded') !== 'true'));
    window.addEventListener('hashchange', () => {
      this.show();
      this.focus();
    });
    this.show();
  }

  /** @param {boolean} isOpen it matters on narrow screens only */
  openMenu(isOpen) {
    byId('toggle').setAttribute('aria-expanded', String(isOpen));
    this.menu.classList.toggle('open', isOpen);
  }

  /** Shows what the hash names. */
  show() {
    const anchor = decoded(location.hash.slice(1));
    const [name = '', part] = anchor.split(':', 2);
    const method = this.description.method(name);
    document.title = method ? `${name} · ${TITLE}` : TITLE;
    this.openMenu(false);
    for (const link of this.menu.querySelectorAll('a')) {
      if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    const { head, reference, panel = '' } = this.viewOf(method);
    this.main.replaceChildren(head, element('div', { class: 'side' }, panel, this.events.element), reference);
    window.scrollTo(0, 0);
    if (part !== undefined) this.mark(anchor);
  }

  /**
   * @param {Method | undefined} method
   * @returns {View}
   */
  viewOf(method) {
    const name = method?.name ?? '';
    const view = this.views.get(name) ?? (method ? this.viewOfMethod(method) : overview(this.description));
    this.views.set(name, view);
    return view;
  }

  /**
   * @param {Method} method
   * @returns {View}
   */
  viewOfMethod(method) {
    const panel = new CallPanel(method, this.description, this.credential, (taskId) => this.events.suggest(taskId));
    const reference = methodReference(method, this.description, (params) => {
      panel.fill(params);
      panel.element.scrollIntoView({ block: 'nearest' });
      panel.button.focus();
    });
    return { head: methodHead(method), reference, panel: panel.element };
  }

  /** @param {string} anchor of a part of what is shown */
  mark(anchor) {
    for (const marked of this.main.querySelectorAll('.marked')) marked.classList.remove('marked');
    const part = document.getElementById(anchor);
    part?.classList.add('marked');
    part?.scrollIntoView({ block: 'center' });
  }

  focus() {
    this.main.querySelector('h1')?.focus({ preventScroll: true });
  }
}

/**
 * @param {string} name
 * @param {readonly Method[]} methods
 */
function groupOf(name, methods) {
  const links = methods.map((method) => element('li', {}, element('a', { href: `#${method.name}` }, method.name)));
  return element('div', {}, element('h2', {}, name), element('ul', {}, links));
}

/** @param {string} id */
function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element "${id}"`);
  return found;
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

async function start() {
  try {
    new Page(await Description.load()).start();
  } catch (error) {
    const again = element('button', { type: 'button', click: () => location.reload() }, 'Try again');
    const reason = error instanceof Error ? error.message : String(error);
    byId('main').replaceChildren(
      element('p', { class: 'problem', role: 'alert' }, `The page is not complete: ${reason}. `, again),
    );
  }
}

void start();
