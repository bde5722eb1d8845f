import { answersIn, type Answer, type Transport, type WireCall } from './answer.ts';
import { retryAfterMs } from './backoff.ts';
import { credentialHeaders, type Credential } from './credential.ts';
import { ConnectionError } from './dossier-error.ts';
import type { Json } from './json.ts';

/** As much of `fetch` as the client needs. */
export type Fetch = (
  url: string,
  init: {
    readonly method: string;
    readonly headers: Record<string, string>;
    readonly body?: string;
    readonly signal: AbortSignal;
  },
) => Promise<FetchResponse>;

export interface FetchResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: { getReader(): BodyReader } | null;
  text(): Promise<string>;
}

export interface BodyReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
}

/** Sends one call as an object, and several as a batch. */
export class HttpTransport implements Transport {
  constructor(
    private readonly url: string,
    private readonly credential: Credential,
    private readonly fetch: Fetch,
    private readonly json: Json,
  ) {}

  async send(calls: readonly WireCall[], signal: AbortSignal): Promise<readonly Answer[]> {
    const body = this.json.stringify(calls.length === 1 ? calls[0] : calls);
    const headers = { 'content-type': 'application/json', ...latin1(await credentialHeaders(this.credential)) };
    let response: FetchResponse;
    let text: string;
    try {
      response = await this.fetch(this.url, { method: 'POST', headers, body, signal });
      text = await response.text();
    } catch (cause) {
      return calls.map(() => ({ error: new ConnectionError(`${this.url} cannot be reached`, { cause }) }));
    }
    const wait = retryAfterMs(response.headers.get('retry-after'));
    return answersIn(text, calls, this.json, response.status).map((answer) =>
      'error' in answer && wait !== undefined ? { ...answer, retryAfterMs: wait } : answer,
    );
  }
}

/** Node and browsers write header values as Latin-1; the service reads UTF-8. */
export function latin1(headers: Record<string, string>): Record<string, string> {
  const bytes = (value: string) => Array.from(new TextEncoder().encode(value), (byte) => String.fromCharCode(byte));
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, bytes(value).join('')]));
}
