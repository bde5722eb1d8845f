import { setImmediate as nextTurn } from 'node:timers/promises';
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
      batch: async (calls) => {
        client.startBatch();
        const outcomes = calls.map(({ method, params }) => outcomeOf(client.request({ method, params })));
        // A request joins the batch in a later iteration of the event loop: until then the batch is empty, and would
        // not be sent.
        await nextTurn();
        client.stopBatch();
        return Promise.all(outcomes);
      },
      close: () => Promise.resolve(client.close()),
    };
  },
});
