declare module 'autocannon' {
  namespace autocannon {
    interface Request {
      body?: string;
      /** Called before each sending. */
      setupRequest?: (request: Request) => Request;
    }

    interface Client {
      setRequests(requests: readonly Request[]): void;
    }

    interface Options {
      url: string;
      method: 'GET' | 'POST';
      headers: Readonly<Record<string, string>>;
      connections: number;
      /** In seconds. */
      duration: number;
      setupClient: (client: Client) => void;
      /** Replies for which it is false are counted in `mismatches`. */
      verifyBody: (body: string) => boolean;
    }

    interface Result {
      /** In seconds. */
      duration: number;
      requests: { total: number };
      /** In ms. */
      latency: { p50: number; p99: number };
      errors: number;
      timeouts: number;
      non2xx: number;
      mismatches: number;
    }
  }

  function autocannon(options: autocannon.Options): Promise<autocannon.Result>;
  export = autocannon;
}
