import { randomUUID } from 'node:crypto';

/** Over HTTP and NATS alike, in the request and in its reply. */
export const REQUEST_ID_HEADER = 'x-request-id';

/** One word: a header that came twice has a blank, and a line of a log shows where the id ends. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

export function isRequestId(sent: unknown): sent is string {
  return typeof sent === 'string' && REQUEST_ID.test(sent);
}

/** The id that the sender gave to its request; a new one if it gave none that can be used. */
export function requestIdOf(sent: unknown): string {
  return isRequestId(sent) ? sent : randomUUID();
}

/** Its name in a span. */
export const REQUEST_ID_ATTRIBUTE = 'dossier.request_id';
