import { CodeBlock } from './code-block.js';
import { disclosure, element } from './elements.js';

/** @import { Reply } from './calls.js' */

const NUMBERS = new Intl.NumberFormat('en');

/** What was sent, what came back, and how long it took. */
export class ReplyView {
  constructor() {
    this.request = new CodeBlock('Request');
    this.reply = new CodeBlock('Reply');
    this.outcome = element('p', { class: 'outcome', role: 'status' });
    this.facts = element('p', { class: 'hint' });
    this.replyPart = element('div', {}, element('h3', {}, 'Reply'), this.facts, this.reply.element);
    const request = disclosure('Request', () => this.request.element);
    this.body = element('div', { class: 'reply', hidden: true }, request, this.replyPart);
    this.element = element('div', {}, this.outcome, this.body);
  }

  /**
   * @param {string} request
   * @param {() => void} cancel
   */
  waiting(request, cancel) {
    this.request.showJson(request);
    this.body.hidden = false;
    this.replyPart.hidden = true;
    const button = element('button', { type: 'button', class: 'quiet', click: cancel }, 'Cancel');
    this.say('', 'Waiting for the reply… ', button);
  }

  /** The reply to an earlier call is not shown beside what was not sent. */
  notSent() {
    this.body.hidden = true;
    this.say('error', 'Nothing was sent: what is marked cannot be.');
  }

  /** @param {Reply} reply */
  show({ status, headers, text, durationMs, error, result }) {
    this.facts.textContent = [
      `HTTP ${status}`,
      `${NUMBERS.format(Math.round(durationMs))} ms`,
      `${NUMBERS.format(new TextEncoder().encode(text).length)} bytes`,
      ...limitOf(headers),
    ].join(' · ');
    this.replyPart.hidden = false;
    if (error || result) this.reply.showJson(text);
    else this.reply.show(text);
    if (error) return this.say('error', `Error ${error.code}: ${error.message}`, codeOf(error), hintOf(error));
    if (!result) return this.say('error', `No reply of JSON-RPC: HTTP ${status}`);
    const isDegraded = result['degraded'] === true;
    this.say(
      isDegraded ? 'degraded' : 'success',
      isDegraded ? 'Degraded result: PostgreSQL could not be asked' : 'Result',
    );
  }

  /** @param {Error} error */
  failed({ name, message }) {
    this.replyPart.hidden = true;
    this.say('error', name === 'AbortError' ? 'Cancelled. The call may have taken effect.' : `No reply: ${message}`);
  }

  /**
   * @param {string} kind
   * @param {...(string | Node)} parts
   */
  say(kind, ...parts) {
    this.outcome.className = `outcome ${kind}`;
    this.outcome.replaceChildren(...parts);
  }
}

/** @param {NonNullable<Reply['error']>} error */
function codeOf({ data }) {
  return data?.code === undefined ? '' : element('code', {}, data.code);
}

/** @param {NonNullable<Reply['error']>} error */
function hintOf({ data }) {
  return data?.code === 'UNAUTHORIZED' ? 'Enter an API key or an access token at the top of the page.' : '';
}

/** @param {Headers} headers */
function limitOf(headers) {
  const [left, limit, seconds] = ['remaining', 'limit', 'reset'].map((name) => headers.get(`x-ratelimit-${name}`));
  return limit === null || limit === undefined ? [] : [`${left} of ${limit} calls left for ${seconds} s`];
}
