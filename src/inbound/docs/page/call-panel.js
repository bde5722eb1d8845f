import { send } from './calls.js';
import { urlOf } from './description.js';
import { element, uniqueId } from './elements.js';
import { ParamsForm } from './params-form.js';
import { ReplyView } from './reply-view.js';
import { requestText } from './snippets.js';
import { SnippetView } from './snippet-view.js';

/** @import { Call } from './snippets.js' */
/** @import { Credential } from './credential.js' */
/** @import { Description, Method } from './description.js' */

let calls = 0;

/** Sends calls of one method: its form, the same call in other languages, and the reply. */
export class CallPanel {
  /**
   * @param {Method} method
   * @param {Description} description
   * @param {Credential} credential
   * @param {(taskId: string | undefined) => void} onTask takes the task that the form is about
   */
  constructor(method, description, credential, onTask) {
    this.method = method;
    this.description = description;
    this.credential = credential;
    this.onTask = onTask;
    this.form = new ParamsForm(method, description);
    this.snippets = new SnippetView(description.hasNats);
    this.reply = new ReplyView();
    this.button = element('button', { type: 'submit', class: 'primary' }, 'Send');
    this.isSending = false;
    this.element = this.build();
    this.form.element.addEventListener('input', () => this.update());
    this.form.element.addEventListener('change', () => this.update());
    credential.input.addEventListener('input', () => this.showSnippets());
    this.update();
  }

  build() {
    const titleId = uniqueId();
    const form = element(
      'form',
      { autocomplete: 'off', novalidate: true, 'aria-labelledby': titleId },
      this.form.element,
      element(
        'div',
        { class: 'actions' },
        this.button,
        this.form.switch,
        element('button', { type: 'button', class: 'quiet', click: () => this.fill({}) }, 'Clear'),
      ),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (!this.isSending) void this.send();
    });
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    return element(
      'section',
      { class: 'panel call', 'aria-labelledby': titleId },
      element('h2', { id: titleId }, 'Try it'),
      form,
      this.reply.element,
      this.snippets.element,
    );
  }

  /** @param {unknown} params */
  fill(params) {
    this.form.clearErrors();
    this.form.fill(JSON.stringify(params));
  }

  /** @returns {Call} */
  callOf(/** @type {number} */ id) {
    const { method, description, form } = this;
    return {
      url: urlOf('rpc').href,
      method: method.name,
      params: form.json(),
      id,
      subject: description.subjectOf(method.name),
      needsCredential: description.needsCredential,
      hasToken: this.credential.token !== undefined,
    };
  }

  /** What depends on what was entered. */
  update() {
    this.onTask(this.form.taskId);
    this.showSnippets();
  }

  showSnippets() {
    this.snippets.show(() => this.callOf(calls + 1));
  }

  async send() {
    this.form.clearErrors();
    if (!this.form.check()) {
      this.reply.notSent();
      return this.form.focusOnProblem();
    }
    calls += 1;
    const body = requestText(this.callOf(calls));
    const aborter = new AbortController();
    this.reply.waiting(body, () => aborter.abort());
    this.setSending(true);
    try {
      const reply = await send(body, this.credential, aborter.signal);
      this.reply.show(reply);
      this.react(reply);
    } catch (error) {
      this.reply.failed(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.setSending(false);
    }
  }

  /** @param {boolean} isSending the button keeps the focus meanwhile: one that is disabled would lose it */
  setSending(isSending) {
    this.isSending = isSending;
    this.button.setAttribute('aria-disabled', String(isSending));
  }

  /** @param {import('./calls.js').Reply} reply */
  react({ error, result }) {
    if (error?.data?.code === 'UNAUTHORIZED') this.credential.refused();
    if (error?.data?.errors) {
      this.form.showErrors(error.data.errors);
      if (this.element.contains(document.activeElement)) this.form.focusOnProblem();
    }
    const made = result?.['taskId'] ?? result?.['id'];
    if (typeof made === 'string') this.onTask(made);
  }
}
