import SimpleJsonRpc from 'simple-jsonrpc-js';
import type { Outcome } from './support/client';
import { outcomeOf } from './support/client';
import { describeClient } from './support/describe-client';
import { startEmbedded } from './support/start-embedded';

describeClient('simple-jsonrpc-js', {
  startService: () => startEmbedded(),
  open: ({ url }) => {
    const client = new SimpleJsonRpc();
    client.toStream = (message) => {
      // What its own transport for browsers sends.
      const headers = { 'content-type': 'application/json; charset=utf-8' };
      void fetch(`${url}/rpc`, { method: 'POST', headers, body: message })
        .then((response) => response.text())
        .then((text) => text && client.messageHandler(text));
    };
    return {
      call: ({ method, params }) => outcomeOf(client.call(method, params)),
      notify: ({ method, params }) => Promise.resolve(client.notification(method, params)),
      batch: async (calls) => {
        const outcomes = await client.batch(calls.map((call) => ({ call })));
        // Results and errors come back in one array; only errors have a code that is a number.
        return outcomes.map((outcome) => {
          const isError = typeof (outcome as { code?: unknown }).code === 'number';
          return (isError ? { error: outcome } : { result: outcome }) as Outcome;
        });
      },
    };
  },
});
