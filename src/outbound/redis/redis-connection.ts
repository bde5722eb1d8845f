import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import { StoreError } from '../../core/ports/store-error';
import { firstAnswer, inTime } from './answers';
import { orStoreError } from './redis-error';
import { unfitnessOf } from './server-fitness';

const CONNECT_TIMEOUT_MS = 2000;
/** How long a connection that is being closed may keep the process from ending. */
const DISCONNECT_TIMEOUT_MS = 500;
/** A connection on which nothing comes back is dead, whatever the system still believes. */
const SILENCE_TIMEOUT_MS = 3000;
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 2000;

export interface RedisConnectionOptions {
  /** `redis://[user:password@]host:port[/db]`, or `rediss://`. Of a cluster those of several nodes, with commas between. */
  readonly url: string;
  readonly isCluster: boolean;
  readonly commandTimeoutMs?: number;
  /** Told once per change, with what ended the connection; not told of `close`. */
  readonly onChange: (state: 'up' | 'down', cause?: Error) => void;
}

/**
 * One connection to Redis (one per node of a cluster) that comes back by itself for as long as it takes. While it is
 * away commands fail at once: nothing is queued, and nothing is sent twice.
 */
export class RedisConnection {
  readonly name = 'redis';
  readonly client: Redis | Cluster;
  private state?: 'up' | 'down';
  private isClosing = false;
  private connections = 0;

  constructor(private readonly options: RedisConnectionOptions) {
    this.client = options.isCluster ? clusterClient(options) : new Redis(options.url, redisOptions(options));
    let cause: Error | undefined;
    this.client.on('ready', () => this.changeTo('up'));
    // Without a listener the client prints errors, or ends the process with them.
    this.client.on('error', (error: Error) => (cause = error));
    this.client.on('node error', (error: Error) => (cause = error));
    this.client.on('close', () => this.changeTo('down', cause));
    this.countConnections();
    if (this.client instanceof Redis) endSilenceWithConnection(this.client);
  }

  /**
   * The generation of the connection. Changes before anything is answered through another connection than before: what is behind it may have come back
   * with older data. In a cluster one of the nodes is enough.
   */
  get generation(): number {
    return this.connections;
  }

  /** Begins to connect, and does not wait for it: a Redis that is away is no reason not to start. */
  connect(): void {
    // The events tell why; the client goes on trying.
    this.client.connect().catch(() => undefined);
  }

  /** Resolves when commands can be sent; rejects with a `StoreError` when that takes longer than `timeoutMs`. */
  async waitUntilReady(timeoutMs: number): Promise<void> {
    if (this.client.status === 'ready') return;
    await new Promise<void>((resolve, reject) => {
      const onReady = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.client.off('ready', onReady);
        reject(new StoreError('redis', 'unavailable'));
      }, timeoutMs);
      this.client.once('ready', onReady);
    });
  }

  /** A cluster goes on with the shards that answer: one of them is enough. */
  async ping(timeoutMs: number): Promise<void> {
    await firstAnswer(this.masters().map((node) => inTime(orStoreError(node.ping()), timeoutMs)));
  }

  /** Why the server may lose what the journal holds; undefined where nothing is wrong, or where it does not say. */
  async unfitness(timeoutMs: number): Promise<string | undefined> {
    const reports = await Promise.all(this.masters().map((node) => inTime(node.info(), timeoutMs).catch(() => '')));
    return reports.map(unfitnessOf).find((reason) => reason !== undefined);
  }

  /** What has been sent is answered first, if Redis is there to answer. */
  async close(): Promise<void> {
    this.isClosing = true;
    if (this.client.status === 'ready') await this.client.quit().catch(() => undefined);
    this.client.disconnect();
  }

  private masters(): readonly Redis[] {
    return this.client instanceof Cluster ? this.client.nodes('master') : [this.client];
  }

  /** A connection is counted before it is ready: not even the first command may slip in between. */
  private countConnections(): void {
    const count = () => (this.connections += 1);
    this.client.on('+node', (node: Redis) => {
      count();
      node.on('connect', count);
    });
    this.client.on('-node', count);
    if (this.client instanceof Redis) this.client.on('connect', count);
  }

  private changeTo(state: 'up' | 'down', cause?: Error): void {
    if (this.state === state || this.isClosing) return;
    this.state = state;
    this.options.onChange(state, cause);
  }
}

/** The client's own timer would hold the silence of a connection that has ended against the one after it, and break that. */
function endSilenceWithConnection(client: Redis): void {
  const timed = client as unknown as { socketTimeoutTimer?: NodeJS.Timeout };
  client.on('close', () => {
    clearTimeout(timed.socketTimeoutTimer);
    timed.socketTimeoutTimer = undefined;
  });
}

function redisOptions({ commandTimeoutMs = 5000 }: RedisConnectionOptions): RedisOptions {
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // From 1 on, what was under way when the connection broke would wait for its time-out: it is never sent again.
    maxRetriesPerRequest: 0,
    commandTimeout: commandTimeoutMs,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    socketTimeout: SILENCE_TIMEOUT_MS,
    retryStrategy: retryDelayMs,
  };
}

function clusterClient(options: RedisConnectionOptions): Cluster {
  const urls = nodeUrls(options.url);
  const { username, password, protocol } = urls[0] as URL;
  const clusterOptions: ClusterOptions = {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: retryDelayMs,
    // Above 0, what was under way when the connection to a node broke would be sent again.
    retryDelayOnFailover: 0,
    redisOptions: {
      ...redisOptions(options),
      username: decodeURIComponent(username) || undefined,
      password: decodeURIComponent(password) || undefined,
      tls: protocol === 'rediss:' ? {} : undefined,
    },
  };
  return new Cluster(
    urls.map(({ hostname, port }) => ({ host: hostname, port: Number(port || 6379) })),
    clusterOptions,
  );
}

function nodeUrls(urls: string): URL[] {
  return urls.split(',').map((url) => new URL(url));
}

/** Half of it by chance, so that the replicas do not all come back at one moment. */
function retryDelayMs(attempt: number): number {
  const cappedMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt, 10), MAX_RETRY_MS);
  return cappedMs * (0.5 + Math.random() / 2);
}
