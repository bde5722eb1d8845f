import { element, uniqueId } from './elements.js';
import { EventStream } from './event-stream.js';
import { coloured, indented } from './json-text.js';

/** @import { Credential } from './credential.js' */

const MAX_SHOWN = 100;

/** The live events of a task. */
export class EventsPanel {
  /** @param {Credential} credential */
  constructor(credential) {
    this.credential = credential;
    /** @type {EventStream | undefined} */
    this.stream = undefined;
    const id = uniqueId();
    this.taskId = element('input', {
      id,
      type: 'text',
      autocomplete: 'off',
      spellcheck: 'false',
      placeholder: 'all tasks',
    });
    this.taskId.addEventListener('input', () => (this.isChosen = this.taskId.value !== ''));
    /** Whether a person has entered the task. */
    this.isChosen = false;
    this.button = element('button', { type: 'submit' }, 'Follow');
    this.state = element('span', { class: 'state', role: 'status' }, '');
    this.list = element('ol', { class: 'events', 'aria-label': 'Events, the latest first' });
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.toggle();
    };
    this.element = element(
      'section',
      { class: 'panel', 'aria-labelledby': `${id}-title` },
      element('h2', { id: `${id}-title` }, 'Live events', this.state),
      element(
        'form',
        { class: 'follow', submit, autocomplete: 'off' },
        element('label', { for: id }, 'Task'),
        this.taskId,
        this.button,
      ),
      this.list,
    );
  }

  /**
   * The task that the page is about now.
   *
   * @param {string | undefined} taskId
   */
  suggest(taskId) {
    if (!this.isChosen && !this.stream) this.taskId.value = taskId ?? '';
  }

  toggle() {
    if (this.stream) return this.stream.stop();
    this.list.replaceChildren();
    const stream = new EventStream(this.taskId.value.trim(), this.credential, {
      event: (data) => this.add(data),
      state: (text, isOpen) => this.show(text, isOpen),
    });
    this.stream = stream;
    this.show('Connecting…', true);
    void stream.follow();
  }

  /**
   * @param {string} text
   * @param {boolean} isOpen
   */
  show(text, isOpen) {
    this.state.textContent = text;
    this.state.classList.toggle('live', isOpen);
    this.button.textContent = isOpen ? 'Stop' : 'Follow';
    this.taskId.readOnly = isOpen;
    if (!isOpen) this.stream = undefined;
  }

  /** @param {string} data */
  add(data) {
    const { type, payload, timestamp } = JSON.parse(data);
    const time = new Date(timestamp).toISOString();
    // Which task, unless it is the one that was chosen.
    const isTaskShown = payload.key === undefined || this.taskId.value.trim() === '';
    const subject = [isTaskShown && (payload.taskId ?? payload.id), payload.key];
    this.list.prepend(
      element(
        'li',
        {},
        element(
          'details',
          {},
          element(
            'summary',
            {},
            element('time', { datetime: time }, time.slice(11, 23)),
            element('code', {}, type),
            element('span', { class: 'subject' }, subject.filter(Boolean).join(' ')),
          ),
          element('pre', { tabindex: '0', role: 'region', 'aria-label': type }, coloured(indented(data))),
        ),
      ),
    );
    while (this.list.childElementCount > MAX_SHOWN) this.list.lastElementChild?.remove();
  }
}
