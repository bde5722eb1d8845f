import { badge, element, richText, uniqueId } from './elements.js';

/** @import { Control } from './controls.js' */

/**
 * One member of the params: its name, what is entered, what it is for, and what is wrong with it.
 */
export class Field {
  /**
   * @param {string} name
   * @param {Control} control
   * @param {{ readonly needed: boolean, readonly kind: string, readonly hint: string }} facts
   */
  constructor(name, control, { needed, kind, hint }) {
    this.name = name;
    this.control = control;
    this.mark = badge('required', 'required');
    const [hintId, problemId] = [uniqueId(), uniqueId()];
    this.problem = element('p', { class: 'problem', id: problemId, hidden: true });
    const { input } = control;
    const about = [element('span', { class: 'kind' }, kind), this.mark];
    const parts = [
      hint !== '' && element('p', { class: 'hint', id: hintId }, richText(hint)),
      control.element,
      this.problem,
    ];
    const describedBy = hint === '' ? problemId : `${hintId} ${problemId}`;
    this.element = input
      ? element(
          'div',
          { class: 'field' },
          element('div', { class: 'about' }, element('label', { for: input.id }, name), about),
          parts,
        )
      : element(
          'fieldset',
          { class: 'field', 'aria-describedby': describedBy },
          element('legend', {}, element('span', { class: 'about' }, element('span', {}, name), about)),
          parts,
        );
    input?.setAttribute('aria-describedby', describedBy);
    this.element.addEventListener('input', () => this.clear());
    this.require(needed);
  }

  get isHidden() {
    return this.element.hidden;
  }

  /** @param {boolean} needed */
  require(needed) {
    this.mark.hidden = !needed;
    this.control.input?.setAttribute('aria-required', String(needed));
  }

  /** @param {boolean} isHidden what is hidden is not sent */
  hide(isHidden) {
    this.element.hidden = isHidden;
  }

  json() {
    return this.isHidden ? undefined : this.control.json();
  }

  /** @param {string | undefined} json */
  fill(json) {
    this.clear();
    this.control.fill(json);
    if (json !== undefined) this.reveal();
  }

  /** Opens what it is folded into. */
  reveal() {
    const folded = this.element.closest('details');
    if (folded) folded.open = true;
  }

  /** Shows what cannot be sent. False if there is something. */
  check() {
    if (this.isHidden) return true;
    const message = this.control.problem?.();
    if (message !== undefined) this.show([], message);
    return message === undefined && (this.control.check?.() ?? true);
  }

  /**
   * Shows a problem, at the innermost field that it is about.
   *
   * @param {readonly string[]} path below this field
   * @param {string} message
   */
  show(path, message) {
    if (path.length > 0 && this.control.show?.(path, message)) return;
    const where = path.length === 0 ? '' : `${path.join('.')} `;
    this.problem.textContent = `${this.problem.textContent} ${where}${message}`.trim();
    this.problem.hidden = false;
    this.reveal();
    this.element.classList.add('wrong');
    this.control.input?.setAttribute('aria-invalid', 'true');
  }

  clear() {
    this.problem.textContent = '';
    this.problem.hidden = true;
    this.element.classList.remove('wrong');
    this.control.input?.removeAttribute('aria-invalid');
  }
}
