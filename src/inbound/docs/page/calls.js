import { urlOf } from './description.js';

/** @import { Credential } from './credential.js' */
/** @import { FieldError } from './params-form.js' */

/**
 * @typedef {object} Reply
 * @property {number} status of HTTP
 * @property {Headers} headers
 * @property {string} text
 * @property {number} durationMs until the last byte
 * @property {{ readonly code: number, readonly message: string, readonly data?: { code?: string, errors?: FieldError[] } }}
 *   [error] of JSON-RPC
 * @property {Record<string, unknown>} [result]
 */

/**
 * Sends a JSON-RPC request to this service. Rejects if there was no reply.
 *
 * @param {string} body
 * @param {Credential} credential
 * @param {AbortSignal} signal
 * @returns {Promise<Reply>}
 */
export async function send(body, credential, signal) {
  const startedAtMs = performance.now();
  const response = await fetch(urlOf('rpc'), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...credential.headers },
    body,
    signal,
    cache: 'no-store',
    redirect: 'error',
  });
  const text = await response.text();
  const durationMs = performance.now() - startedAtMs;
  return { status: response.status, headers: response.headers, text, durationMs, ...parsed(text) };
}

/**
 * A proxy in front of the service may have sent something else than JSON.
 *
 * @param {string} text
 */
function parsed(text) {
  try {
    const { result, error } = JSON.parse(text);
    return { result, error };
  } catch {
    return {};
  }
}
