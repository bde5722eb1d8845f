import { JsonRpcProvider, Network } from 'ethers';
import type { RpcError } from '../support/service';
import { outcomeOf, type Call } from './support/client';
import { describeClient } from './support/describe-client';
import { startEmbedded } from './support/start-embedded';

// Without a network that is known beforehand, it would ask the server for one first.
const NETWORK = Network.from(1);

describeClient('ethers', {
  startService: () => startEmbedded(),
  // Its batches hold at most 100 calls, and it sends no notifications.
  cannotSend: ['notifications'],
  open: ({ url }) => {
    const one = new JsonRpcProvider(`${url}/rpc`, NETWORK, { staticNetwork: NETWORK, batchMaxCount: 1 });
    const many = new JsonRpcProvider(`${url}/rpc`, NETWORK, { staticNetwork: NETWORK, batchMaxCount: 101 });
    const send = (provider: JsonRpcProvider, { method, params }: Call) =>
      outcomeOf(provider.send(method, params ? [params] : []), (thrown) => (thrown as { error: RpcError }).error);
    return {
      call: (call) => send(one, call),
      batch: (calls) => Promise.all(calls.map((call) => send(many, call))),
      close: () => Promise.resolve([one, many].forEach((provider) => provider.destroy())),
    };
  },
});
