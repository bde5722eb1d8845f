import type { Msg } from '@nats-io/transport-node';

/** With the subjects, in bytes. */
const MAX_HEADER_BYTES = 8 * 1024;

/** Every message of the client says how many bytes it has, though its type does not. */
type SizedMessage = Msg & { size(): number };

/**
 * A message whose headers are read without harm: headers that are malformed, or more than 8 KiB, count as none. The
 * client compares each header with all others: of ten thousand that takes a tenth of a second, before anything is known
 * of the sender.
 */
export function withReadableHeaders(message: Msg): Msg {
  if (areReadable(message)) return message;
  return Object.create(message, { headers: { value: undefined } }) as Msg;
}

function areReadable(message: Msg): boolean {
  if ((message as SizedMessage).size() - message.data.length > MAX_HEADER_BYTES) return false;
  try {
    void message.headers;
    return true;
  } catch {
    return false;
  }
}
