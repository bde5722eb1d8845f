import { BenchError } from './bench-error';

/** One JSON-RPC call. */
export interface Call {
  readonly method: string;
  readonly params: object;
}

export type Headers = Readonly<Record<string, string>>;

interface Reply {
  readonly result?: unknown;
  readonly error?: { readonly message: string; readonly code: number } | null;
}

const TIMEOUT_MS = 10_000;
/** The largest batch that the service accepts. */
const MAX_BATCH_CALLS = 50;
const METHOD_NOT_FOUND = -32601;

export class RpcClient {
  constructor(
    /** Of the endpoint: `http://127.0.0.1:3000/rpc`. */
    private readonly url: string,
    private readonly headers: Headers = {},
  ) {}

  /** Throws `BenchError` if the server is not reached, or does not return a result. */
  async call(call: Call): Promise<unknown> {
    const reply = (await this.post(request(call))) as Reply | undefined;
    if (reply?.error) throw new BenchError(`${this.url} ${refusal(call, reply.error)}`);
    if (reply?.result === undefined) throw new BenchError(`${this.url} does not reply to ${call.method} with a result`);
    return reply.result;
  }

  /** Throws `BenchError` if the server does not refuse the call. */
  async refused(call: Call): Promise<void> {
    const reply = (await this.post(request(call))) as Reply;
    if (!reply.error) throw new BenchError(`${this.url} does not refuse ${call.method}`);
  }

  /** Sends the calls in as few messages as the service allows. Throws `BenchError` if one has no result. */
  async callAll(calls: readonly Call[]): Promise<void> {
    for (let from = 0; from < calls.length; from += MAX_BATCH_CALLS) {
      const part = calls.slice(from, from + MAX_BATCH_CALLS);
      const replies = await this.post(part.map(request));
      if (!Array.isArray(replies)) throw new BenchError(`${this.url} does not take batches of JSON-RPC`);
      part.forEach((call, i) => {
        const { error } = replies[i] as Reply;
        if (error) throw new BenchError(`${this.url} ${refusal(call, error)}`);
      });
    }
  }

  private async post(message: object): Promise<unknown> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...this.headers },
      body: JSON.stringify(message),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((error: Error & { cause?: Error }) => {
      throw new BenchError(`${this.url} cannot be reached: ${error.cause?.message || error.message}`);
    });
    return response.json().catch(() => {
      throw new BenchError(`${this.url} replies with status ${response.status} and without JSON`);
    });
  }
}

export function request({ method, params }: Call): object {
  return { jsonrpc: '2.0', method, params, id: 1 };
}

function refusal({ method }: Call, { code, message }: { code: number; message: string }): string {
  return code === METHOD_NOT_FOUND ? `has no method ${method}` : `refuses ${method}: ${message} (${code})`;
}
