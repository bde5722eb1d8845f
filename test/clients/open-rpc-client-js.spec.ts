import { Client, HTTPTransport, RequestManager } from '@open-rpc/client-js';
import { outcomeOf } from './support/client';
import { describeClient } from './support/describe-client';
import { startEmbedded } from './support/start-embedded';

describeClient('@open-rpc/client-js', {
  startService: () => startEmbedded(),
  open: ({ url }) => {
    const client = new Client(new RequestManager([new HTTPTransport(`${url}/rpc`)]));
    return {
      call: ({ method, params }) => outcomeOf(client.request({ method, params })),
      notify: async ({ method, params }) => void (await client.notify({ method, params })),
      batch: (calls) => {
        client.startBatch();
        const outcomes = calls.map(({ method, params }) => outcomeOf(client.request({ method, params })));
        client.stopBatch();
        return Promise.all(outcomes);
      },
      close: () => Promise.resolve(client.close()),
    };
  },
});
