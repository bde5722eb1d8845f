import { Client, type ClientConfig } from 'pg';
import { withoutStartUpParameters } from './start-up-parameters';

/** One session beside those of the pool. It is opened on demand, and forgotten as soon as it breaks. */
export class OwnSession {
  private client?: Client;

  /** `url` is that of the server. */
  constructor(
    private readonly url: string,
    private readonly config: ClientConfig,
  ) {}

  /** Undefined until `open`, and from the moment at which the session is found broken or closed. */
  get current(): Client | undefined {
    return this.client;
  }

  async open(timeoutMs: number): Promise<Client> {
    const { connectionString } = withoutStartUpParameters(this.url);
    const client = new Client({ ...this.config, connectionString, connectionTimeoutMillis: timeoutMs });
    this.client = client;
    // An error event without a listener would end the process.
    client.on('error', () => {
      if (this.client === client) this.client = undefined;
    });
    await client.connect();
    return client;
  }

  async close(): Promise<void> {
    const { client } = this;
    this.client = undefined;
    await client?.end().catch(() => undefined);
  }
}
