import type { Msg } from '@nats-io/transport-node';

const MAX_BYTES = 8 * 1024;
const MAX_HEADERS = 64;
/** Of the first line, which names the version, and of the empty last one. */
const MAX_LINE_ENDS = MAX_HEADERS + 2;
const LINE_END = '\n'.charCodeAt(0);

/** Every message of the client has what was received, headers and payload, though its type does not say so. */
type ReceivedMessage = Msg & { readonly _rdata: Uint8Array };

/**
 * A message whose headers are read without harm: headers that are malformed, or more than 8 KiB, or more than 64, count
 * as none. The client compares each header with all others: of those that 8 KiB can hold this takes tens of
 * milliseconds, before anything is known of the sender.
 */
export function withReadableHeaders(message: Msg): Msg {
  if (areReadable(message)) return message;
  return Object.create(message, { headers: { value: undefined } }) as Msg;
}

function areReadable(message: Msg): boolean {
  try {
    const { _rdata: received, data } = message as ReceivedMessage;
    const bytes = received.subarray(0, received.length - data.length);
    if (bytes.length > MAX_BYTES || hasMoreLineEnds(bytes, MAX_LINE_ENDS)) return false;
    void message.headers;
    return true;
  } catch {
    return false;
  }
}

function hasMoreLineEnds(bytes: Uint8Array, max: number): boolean {
  let at = -1;
  for (let count = 0; count <= max; count++) {
    at = bytes.indexOf(LINE_END, at + 1);
    if (at === -1) return false;
  }
  return true;
}
