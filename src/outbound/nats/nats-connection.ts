import { setTimeout as sleep } from 'node:timers/promises';
import type { OnApplicationShutdown } from '@nestjs/common';
import { connect, type ConnectionOptions, type NatsConnection as NatsClient } from '@nats-io/transport-node';
import { credentialsIn, nkeyIn } from './credentials-file';
import { KeepAlive } from './keep-alive';
import { natsAddress, type LoginFiles } from './nats-address';
import { NatsNames } from './nats-names';
import { streamProblem } from './task-events-stream';

const CONNECT_TIMEOUT_MS = 2000;
const RETRY_MS = 250;
const RETRY_JITTER_MS = 250;
const DRAIN_TIMEOUT_MS = 2000;

export interface NatsConnectionOptions extends LoginFiles {
  /** As `natsAddress` takes them. */
  readonly url: string;
  /** Or a token, or user and password. */
  readonly token?: string;
  readonly user?: string;
  readonly password?: string;
  /** The name under which operators see this process among the server's clients. */
  readonly clientName: string;
  /** Before every name that this deployment uses on the server. */
  readonly prefix?: string;
  /** Called once for each change, with the error that ended the connection, and for each new reason of an outage. */
  readonly onChange: (state: 'up' | 'down', cause?: Error) => void;
}

/** A connection of this process to NATS. It reconnects by itself, however long an outage lasts. */
export class NatsConnection implements OnApplicationShutdown {
  readonly name = 'nats';
  /** Pending until the first connection. From then on, the client restores its subscriptions after every outage. */
  readonly client: Promise<NatsClient>;
  private resolveClient!: (client: NatsClient) => void;
  private connected?: NatsClient;
  private keepAlive?: KeepAlive;
  private state?: 'up' | 'down';
  /** Why there is no connection, as far as the present outage has shown. */
  private readonly reasons = new Set<string>();
  private opening?: Promise<void>;
  private readonly closing = new AbortController();

  constructor(private readonly options: NatsConnectionOptions) {
    this.client = new Promise((resolve) => (this.resolveClient = resolve));
  }

  /** Starts to connect without waiting: the process starts even if NATS is unavailable. */
  connect(): void {
    this.opening ??= this.open();
  }

  /** The answer may wait behind many messages: a server from which these come is there. */
  async ping(timeoutMs: number): Promise<void> {
    if (!this.connected || this.state !== 'up') throw new Error('not connected to NATS');
    const bytesRead = this.keepAlive?.bytesRead;
    await within(timeoutMs, this.connected.flush(), () => this.keepAlive?.bytesRead !== bytesRead);
  }

  /** Why events wait although the server responds: the stream of the operator does not take them all. */
  async unfitness(timeoutMs: number): Promise<string | undefined> {
    if (!this.connected || this.state !== 'up') return undefined;
    return streamProblem(this.connected, new NatsNames(this.options.prefix), timeoutMs);
  }

  /** Ends the subscriptions, sends what is still queued if NATS is available, and closes. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.opening;
    if (!this.connected) return;
    if (this.state === 'up') await within(DRAIN_TIMEOUT_MS, this.connected.drain()).catch(() => undefined);
    await this.connected.close();
    this.keepAlive?.stop();
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  /** A loop of its own, because the client's own wait for a first connection cannot be cancelled. */
  private async open(): Promise<void> {
    const options = clientOptions(this.options);
    const { signal } = this.closing;
    while (!signal.aborted) {
      try {
        const client = await connect(options);
        this.connected = client;
        this.keepAlive = new KeepAlive(client);
        void this.follow(client);
        this.changeTo('up');
        this.resolveClient(client);
        return;
      } catch (error) {
        this.changeTo('down', error as Error);
        const delayMs = RETRY_MS + Math.random() * RETRY_JITTER_MS;
        await sleep(delayMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  private async follow(client: NatsClient): Promise<void> {
    let cause: Error | undefined;
    for await (const status of client.status()) {
      if (status.type === 'error') {
        cause = status.error;
        if (this.state === 'down') this.changeTo('down', cause);
      } else if (status.type === 'disconnect') {
        this.changeTo('down', cause);
      } else if (status.type === 'reconnect') {
        cause = undefined;
        this.changeTo('up');
      }
    }
  }

  private changeTo(state: 'up' | 'down', cause?: Error): void {
    const isNewReason = cause !== undefined && !this.reasons.has(cause.message);
    if (this.state === state && !isNewReason) return;
    this.state = state;
    if (state === 'up') this.reasons.clear();
    else if (cause) this.reasons.add(cause.message);
    if (!this.closing.signal.aborted) this.options.onChange(state, cause);
  }
}

function clientOptions({ url, credsFile, nkeyFile, clientName, ...own }: NatsConnectionOptions): ConnectionOptions {
  const { servers, tls, ...inUrl } = natsAddress(url);
  const credentials = credsFile === undefined ? undefined : credentialsIn(credsFile);
  return {
    servers: [...servers],
    tls,
    token: own.token ?? inUrl.token,
    user: own.user ?? inUrl.user,
    pass: own.password ?? inUrl.pass,
    authenticator: nkeyFile === undefined ? credentials : nkeyIn(nkeyFile),
    name: clientName,
    timeout: CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RETRY_MS,
    reconnectJitter: RETRY_JITTER_MS,
    reconnectJitterTLS: RETRY_JITTER_MS,
    // Refused credentials may become valid again when the operator has corrected the server or the file.
    ignoreAuthErrorAbort: true,
  };
}

async function within(timeoutMs: number, outcome: Promise<void>, isForgiven = () => false): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeOut = new Promise<void>((resolve, reject) => {
    timer = setTimeout(
      () => (isForgiven() ? resolve() : reject(new Error(`no answer within ${timeoutMs} ms`))),
      timeoutMs,
    );
  });
  try {
    await Promise.race([outcome, timeOut]);
  } finally {
    clearTimeout(timer);
  }
}
