import { connect } from '@nats-io/transport-node';
import type { Outcome } from './support/client';
import { describeClient } from './support/describe-client';
import { natsSuite } from './support/nats-suite';

const TIMEOUT_MS = 10_000;

describeClient(
  '@nats-io/transport-node',
  natsSuite(async (servers) => {
    const connection = await connect({ servers });
    let calls = 0;
    return {
      call: async ({ method, params }) => {
        const request = JSON.stringify({ jsonrpc: '2.0', id: ++calls, method, params });
        const reply = (await connection.request(method, request, { timeout: TIMEOUT_MS })).json<
          { id: number } & Outcome
        >();
        return reply;
      },
      notify: async ({ method, params }) => {
        connection.publish(method, JSON.stringify({ jsonrpc: '2.0', method, params }));
        await connection.flush();
      },
      close: () => connection.close(),
    };
  }),
);
