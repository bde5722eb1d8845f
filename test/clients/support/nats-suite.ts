import { startNats, type NatsServer } from '../../support/nats-server';
import type { Service } from '../../support/service';
import { untilServedOverNats } from '../../support/until-served-over-nats';
import type { Client } from './client';
import type { ClientSuite } from './describe-client';
import { startEmbedded } from './start-embedded';

/** A message of NATS holds 1 MiB by default; a text of this size fits however it is escaped. */
const LARGEST_TEXT_BYTES = 160 * 1024;

/** The suite of a NATS client: a server of its own, which ends with the client. */
export function natsSuite(open: (natsUrl: string) => Promise<Client>): ClientSuite {
  let nats: NatsServer;
  return {
    async startService(): Promise<Service> {
      nats = await startNats();
      const service = await startEmbedded({ NATS_URL: nats.url });
      await untilServedOverNats(nats.url);
      return service;
    },
    async open(): Promise<Client> {
      const client = await open(nats.url);
      const close = async () => {
        await client.close?.();
        await nats.stop();
      };
      return { ...client, close };
    },
    // A message is one call: clients send several without waiting. It is sent to a method: a subject without one has no
    // subscriber, and the client learns that from the server.
    cannotSend: ['batches', 'unknown methods'],
    largestTextBytes: LARGEST_TEXT_BYTES,
  };
}
