import { jsonArea } from './controls.js';
import { element, uniqueId } from './elements.js';
import { indented } from './json-text.js';
import { Field } from './field.js';
import { ObjectFields } from './params-fields.js';

/** @import { Description, Method } from './description.js' */

/** @typedef {{ readonly field: string, readonly message: string }} FieldError */

const EMPTY = '{}';

/** What the params of a method are entered with: a field for each, or one JSON text for all of them. */
export class ParamsForm {
  /**
   * @param {Method} method
   * @param {Description} description
   */
  constructor(method, description) {
    this.fields = new ObjectFields(description.paramsOf(method), description);
    const hint = 'All parameters as one JSON object, also what the fields cannot show.';
    this.text = new Field('params', jsonArea('12'), { needed: false, kind: 'object', hint });
    this.text.hide(true);
    this.switch = element('button', { type: 'button', class: 'quiet', click: () => this.switchOver() }, 'Edit as JSON');
    this.note = element('p', { class: 'problem', id: uniqueId(), role: 'alert', hidden: true });
    this.element = element('div', {}, this.fields.element, this.text.element, this.note);
    this.element.addEventListener('input', () => (this.note.hidden = true));
  }

  get isText() {
    return !this.text.isHidden;
  }

  /** The JSON text of the params. */
  json() {
    return this.isText ? (this.text.json() ?? EMPTY) : this.fields.json();
  }

  /** Shows what cannot be sent. False if there is something. */
  check() {
    return this.isText ? this.text.check() : this.fields.check();
  }

  /** @param {string} json */
  fill(json) {
    const hidden = this.fields.fill(json);
    this.text.fill(json);
    this.show(hidden !== undefined);
    this.changed();
  }

  /** Between fields and text; what was entered stays. */
  switchOver() {
    this.clearErrors();
    if (!this.check()) return;
    const json = this.json();
    if (this.isText) {
      const hidden = json.trim().startsWith('{') ? this.fields.fill(json) : 'params';
      if (hidden !== undefined) return this.explain(`The fields cannot show this value of "${hidden}".`);
    } else {
      this.text.fill(indented(json));
    }
    this.show(!this.isText);
    this.changed();
  }

  /** @param {boolean} asText */
  show(asText) {
    this.text.hide(!asText);
    this.fields.element.hidden = asText;
    this.switch.textContent = asText ? 'Edit in fields' : 'Edit as JSON';
    this.note.hidden = true;
  }

  /** @param {string} text */
  explain(text) {
    this.note.textContent = this.note.hidden ? text : `${this.note.textContent} ${text}`;
    this.note.hidden = false;
  }

  /** @param {readonly FieldError[]} errors as the service names them */
  showErrors(errors) {
    for (const { field, message } of errors) {
      const path = field.split(/[.[\]]+/).filter((name) => name !== '');
      if (this.isText) this.text.show(path, message);
      else if (!this.fields.show(path, message)) this.explain(`${field} ${message}`);
    }
  }

  clearErrors() {
    this.text.clear();
    this.fields.clear();
    this.note.hidden = true;
  }

  focusOnProblem() {
    const wrong = this.element.querySelector('[aria-invalid="true"], .wrong input, .wrong select');
    if (wrong instanceof HTMLElement) wrong.focus();
  }

  /** The task that the params name, if they name one. */
  get taskId() {
    const names = ['taskId', 'id'];
    const entered = names.map((name) => this.fields.find(name)?.json()).find((json) => json !== undefined);
    return entered === undefined ? undefined : String(JSON.parse(entered));
  }

  changed() {
    this.element.dispatchEvent(new Event('input'));
  }
}
