import { connect, Empty, JSONCodec } from 'nats';
import type { Outcome } from './support/client';
import { describeClient } from './support/describe-client';
import { natsSuite } from './support/nats-suite';

const TIMEOUT_MS = 10_000;
const codec = JSONCodec<object | undefined>();

describeClient(
  'nats 2',
  natsSuite(async (servers) => {
    const connection = await connect({ servers });
    return {
      // The params alone, and no payload if there are none.
      call: async ({ method, params }) => {
        const payload = params ? codec.encode(params) : Empty;
        const reply = await connection.request(method, payload, { timeout: TIMEOUT_MS });
        return reply.json<Outcome>();
      },
      notify: async ({ method, params }) => {
        connection.publish(method, codec.encode(params));
        await connection.flush();
      },
      close: () => connection.close(),
    };
  }),
);
