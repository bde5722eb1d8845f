import { headers, type MsgHdrs } from '@nats-io/transport-node';

/** Headers of a NATS message, from those that a test sends over HTTP. */
export function natsHeaders(values: Readonly<Record<string, string>>): MsgHdrs {
  const sent = headers();
  for (const [name, value] of Object.entries(values)) sent.set(name, value);
  return sent;
}
