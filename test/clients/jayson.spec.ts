import { Client } from 'jayson/promise';
import type { Outcome } from './support/client';
import { describeClient } from './support/describe-client';
import { startEmbedded } from './support/start-embedded';

describeClient('jayson', {
  startService: () => startEmbedded(),
  open: ({ url }) => {
    const { hostname, port } = new URL(url);
    // Otherwise it gives up after the five seconds without a reply that Node's own agent allows.
    const client = Client.http({ host: hostname, port, path: '/rpc', timeout: 120_000 });
    return {
      call: async ({ method, params }) => (await client.request(method, params)) as Outcome,
      // An id that is null makes it a notification; its types do not know that.
      notify: async ({ method, params }) => void (await client.request(method, params, null as never)),
      batch: async (calls) => {
        const requests = calls.map(({ method, params }) => client.request(method, params, undefined, false));
        return (await client.request(requests)) as Outcome[];
      },
    };
  },
});
