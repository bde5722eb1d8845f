import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import { redisAddress, type RedisAddress } from './redis-address';
import { tlsOptions, type TlsFiles } from './tls-files';

const CONNECT_TIMEOUT_MS = 2000;
/** How long a connection that is being closed may delay the end of the process. */
const DISCONNECT_TIMEOUT_MS = 500;
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 2000;

export interface RedisClientOptions {
  /**
   * `redis://[user:password@]host:port[/db]`, or `rediss://`. For a cluster, those of several nodes, separated by
   * commas.
   */
  readonly url: string;
  readonly isCluster: boolean;
  /** For `rediss://`. */
  readonly tlsFiles?: TlsFiles;
}

/** Connects when it is told to. While Redis is unavailable, commands fail at once. */
export function clientOf({ url, isCluster, tlsFiles = {} }: RedisClientOptions): Redis | Cluster {
  const { nodes, username, password, db, hasTls } = redisAddress(url, isCluster);
  const tls = hasTls ? tlsOptions(tlsFiles) : undefined;
  const options = { ...redisOptions(), username, password, tls };
  return isCluster ? clusterClient(nodes, options) : new Redis({ ...options, ...nodes[0], db });
}

function redisOptions(): RedisOptions {
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // Above 0, commands in progress when the connection broke would wait for their time-out, although they are never
    // sent again.
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    retryStrategy: retryDelayMs,
  };
}

function clusterClient(nodes: RedisAddress['nodes'], redisOptions: RedisOptions): Cluster {
  const clusterOptions: ClusterOptions = {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: retryDelayMs,
    // Above 0, commands in progress when the connection to a node broke would be sent again.
    retryDelayOnFailover: 0,
    redisOptions,
  };
  return new Cluster([...nodes], clusterOptions);
}

/** Half of the delay is random, so that not all replicas reconnect at the same moment. */
function retryDelayMs(attempt: number): number {
  const cappedMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt, 10), MAX_RETRY_MS);
  return cappedMs * (0.5 + Math.random() / 2);
}
