import { createClient, http, type RpcRequestError } from 'viem';
import { outcomeOf, type Call } from './support/client';
import { describeClient } from './support/describe-client';
import { startEmbedded } from './support/start-embedded';

describeClient('viem', {
  startService: () => startEmbedded(),
  // It has no function for them.
  cannotSend: ['notifications'],
  open: ({ url }) => {
    const one = createClient({ transport: http(`${url}/rpc`, { retryCount: 0 }) });
    const many = createClient({ transport: http(`${url}/rpc`, { retryCount: 0, batch: { batchSize: 101 } }) });
    const send = ({ request }: typeof one, { method, params }: Call) =>
      outcomeOf(request({ method, params: params && [params] } as never), errorOf);
    return {
      call: (call) => send(one, call),
      batch: (calls) => Promise.all(calls.map((call) => send(many, call))),
    };
  },
});

/** It wraps the error of the reply in one of its own. */
function errorOf(thrown: unknown) {
  const { code, details, data } = (thrown as { cause: RpcRequestError }).cause;
  return { code, message: details, data: data as never };
}
