import { answersIn, type Answer, type Transport, type WireCall } from './answer.ts';
import { credentialHeaders, type Credential } from './credential.ts';
import { ConnectionError } from './dossier-error.ts';
import type { Json } from './json.ts';

/** A connection of `@nats-io/nats-core` or of one of its transports. The client does not close it. */
export interface NatsConnection {
  request(
    subject: string,
    payload?: string,
    options?: { timeout: number; headers?: NatsHeaders },
  ): Promise<{ readonly data: Uint8Array }>;
}

export interface NatsHeaders {
  set(name: string, value: string): void;
}

export interface Nats {
  readonly connection: NatsConnection;
  /** The function `headers` of the same package: needed for an `apiKey`, a `token` or an `instanceId`. */
  readonly headers?: (() => NatsHeaders) | undefined;
  /** The `NATS_PREFIX` of the service, if it has one. */
  readonly prefix?: string | undefined;
}

/** The end of a call comes from the signal; this only frees what the connection keeps for a request without a reply. */
const REQUEST_TIMEOUT_MS = 60_000;

/** A message is one call: several are sent side by side. */
export class NatsTransport implements Transport {
  constructor(
    private readonly nats: Nats,
    private readonly credential: Credential,
    private readonly json: Json,
  ) {
    const hasCredential = Object.values(credential).some((member) => member !== undefined);
    if (hasCredential && !nats.headers) {
      throw new TypeError(
        'nats.headers is needed to send a credential: it is the function `headers` of @nats-io/nats-core',
      );
    }
  }

  async send(calls: readonly WireCall[]): Promise<readonly Answer[]> {
    const entries = Object.entries(await credentialHeaders(this.credential));
    return Promise.all(calls.map((call) => this.sendOne(call, entries)));
  }

  private async sendOne(call: WireCall, entries: readonly (readonly [string, string])[]): Promise<Answer> {
    const { connection, prefix } = this.nats;
    const subject = prefix === undefined ? call.method : `${prefix}.${call.method}`;
    // The subject says the method.
    const { method: _method, ...request } = call;
    let text: string;
    try {
      const options = { timeout: REQUEST_TIMEOUT_MS, ...this.headersOf(entries) };
      const { data } = await connection.request(subject, this.json.stringify(request), options);
      text = new TextDecoder().decode(data);
    } catch (cause) {
      return { error: new ConnectionError(`no reply to ${subject}`, { cause }) };
    }
    return answersIn(text, [call], this.json)[0] as Answer;
  }

  private headersOf(entries: readonly (readonly [string, string])[]): { headers?: NatsHeaders } {
    const headers = entries.length > 0 ? this.nats.headers?.() : undefined;
    for (const [name, value] of entries) headers?.set(name, value);
    return headers ? { headers } : {};
  }
}
