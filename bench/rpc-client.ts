/** One JSON-RPC call. */
export interface Call {
  readonly method: string;
  readonly params: object;
}

interface Reply {
  readonly result?: object;
  readonly error?: { readonly message: string };
}

const TIMEOUT_MS = 10_000;
/** The largest batch that the service accepts. */
const MAX_BATCH_CALLS = 50;

export class RpcClient {
  constructor(private readonly url: string) {}

  /** Rejects if the call is refused, unless a refusal is expected. */
  async call(call: Call, isRefused = false): Promise<void> {
    check((await this.post(request(call))) as Reply, isRefused);
  }

  /** Sends the calls in as few messages as the service allows. */
  async callAll(calls: readonly Call[]): Promise<void> {
    for (let from = 0; from < calls.length; from += MAX_BATCH_CALLS) {
      const replies = (await this.post(calls.slice(from, from + MAX_BATCH_CALLS).map(request))) as Reply[];
      for (const reply of replies) check(reply, false);
    }
  }

  private async post(message: object): Promise<unknown> {
    const response = await fetch(`${this.url}/rpc`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(message),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return response.json();
  }
}

export function request({ method, params }: Call): object {
  return { jsonrpc: '2.0', method, params, id: 1 };
}

function check(reply: Reply, isRefused: boolean): void {
  if ('error' in reply !== isRefused) throw new Error(`unexpected reply: ${JSON.stringify(reply)}`);
}
