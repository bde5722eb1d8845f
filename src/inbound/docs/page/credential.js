import { element, uniqueId } from './elements.js';

/** As the parts of an access token are written; an API key has no dots. */
const ACCESS_TOKEN = /^(?:Bearer )?(eyJ[\w-]*\.[\w-]+\.[\w-]+)$/i;

/**
 * `fetch` takes headers of Latin-1 only, and the service reads UTF-8: it says that a key with other characters is wrong.
 *
 * @param {string} text
 */
function asBytes(text) {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');
}

/**
 * The key or token of the caller. It is only in this input: neither stored nor part of a URL, and gone with the page.
 */
export class Credential {
  constructor() {
    const id = uniqueId();
    /** Of type password: a browser neither shows it nor restores it. */
    this.input = element('input', {
      id,
      type: 'password',
      autocomplete: 'off',
      spellcheck: 'false',
      placeholder: 'API key or access token',
      input: () => this.input.removeAttribute('aria-invalid'),
    });
    this.element = element('div', { class: 'credential' }, element('label', { for: id }, 'Credential'), this.input);
  }

  get text() {
    return this.input.value.trim();
  }

  get token() {
    return ACCESS_TOKEN.exec(this.text)?.[1];
  }

  /** @returns {Record<string, string>} for a request */
  get headers() {
    const { text, token } = this;
    if (token !== undefined) return { authorization: `Bearer ${token}` };
    return text === '' ? {} : { 'x-api-key': asBytes(text) };
  }

  /** The service has refused it. */
  refused() {
    this.input.setAttribute('aria-invalid', 'true');
  }
}
