declare module 'autocannon' {
  namespace autocannon {
    interface Request {
      body?: string;
      /** Called before each request is sent. */
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
      /** A reply for which it returns false is counted in `mismatches`. */
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
