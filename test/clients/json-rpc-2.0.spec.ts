import { JSONRPC, JSONRPCClient, type JSONRPCResponse } from 'json-rpc-2.0';
import { outcomeOf } from './support/client';
import { describeClient } from './support/describe-client';
import { startEmbedded } from './support/start-embedded';

describeClient('json-rpc-2.0', {
  startService: () => startEmbedded(),
  open: ({ url }) => {
    const client: JSONRPCClient = new JSONRPCClient(async (payload) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${url}/rpc`, { method: 'POST', headers, body: JSON.stringify(payload) });
      if (response.status === 200) return client.receive((await response.json()) as JSONRPCResponse);
      if ((payload as { id?: unknown }).id !== undefined) throw new Error(response.statusText);
    });
    let batchCalls = 0;
    return {
      call: ({ method, params }) => outcomeOf(client.request(method, params)),
      notify: ({ method, params }) => Promise.resolve(client.notify(method, params)),
      batch: async (calls) =>
        client.requestAdvanced(
          calls.map(({ method, params }) => ({ jsonrpc: JSONRPC, id: `batch-${batchCalls++}`, method, params })),
        ),
    };
  },
});
