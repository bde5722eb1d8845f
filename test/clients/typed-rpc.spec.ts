import { rpcClient } from 'typed-rpc';
import { outcomeOf } from './support/client';
import { describeClient } from './support/describe-client';
import { startEmbedded } from './support/start-embedded';

type Methods = Record<string, (params?: object) => unknown>;

describeClient('typed-rpc', {
  startService: () => startEmbedded(),
  // It has no function for either.
  cannotSend: ['notifications', 'batches'],
  open: ({ url }) => {
    const client = rpcClient<Methods>(`${url}/rpc`);
    // The arguments of a function are the params: [{ … }].
    return { call: ({ method, params }) => outcomeOf((client[method] as Methods[string])(params) as Promise<unknown>) };
  },
});
