declare module 'autocannon' {
  namespace autocannon {
    interface Request {
      body?: string;
      /** Called before each request is sent. */
      setupRequest?: (request: Request) => Request;
    }

    interface Client {
      setRequests(requests: readonly Request[]): void;
      on(event: 'response', listener: (status: number, bytes: number, durationMs: number) => void): void;
    }

    interface Options {
      /** Connections are shared out among several. */
      url: readonly string[];
      method: 'GET' | 'POST';
      headers: Readonly<Record<string, string>>;
      connections: number;
      /** In seconds. */
      duration: number;
      /** How often it looks whether the time is over, in ms. */
      sampleInt: number;
      setupClient: (client: Client) => void;
      /** A reply for which it returns false is counted in `mismatches`. */
      verifyBody: (body: string) => boolean;
    }

    interface Result {
      /** In seconds. */
      duration: number;
      errors: number;
      non2xx: number;
      mismatches: number;
    }
  }

  function autocannon(options: autocannon.Options): Promise<autocannon.Result>;
  export = autocannon;
}
