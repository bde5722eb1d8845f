import type { OnApplicationShutdown } from '@nestjs/common';
import { Cluster, Redis, ReplyError } from 'ioredis';
import { isOutage, StoreError } from '../../core/ports/store-error';
import type { Tracing } from '../../core/ports/tracing';
import { firstAnswer, inTime } from './answers';
import { connectMasters, unavailableShards, untilConnected } from './cluster-masters';
import { hearAllErrors } from './hear-all-errors';
import { redisAddress } from './redis-address';
import { clientOf, type RedisClientOptions } from './redis-client';
import { limitSilence } from './limit-silence';
import { probeKeys } from './probe-keys';
import { orStoreError } from './redis-error';
import type { RedisKeys } from './redis-keys';
import { RedisSpans } from './redis-spans';
import { sendTogether } from './send-together';
import { incompletenessOf, mismatchOf, unfitnessOf, unknownFitness } from './server-fitness';

/** A silent connection is dead, even if the operating system still considers it open. */
const SILENCE_TIMEOUT_MS = 3000;

hearAllErrors();

export interface RedisConnectionOptions extends RedisClientOptions {
  readonly commandTimeoutMs?: number;
  /** The names that the user must be allowed to change; without them, `ping` does not ask. */
  readonly keys?: RedisKeys;
  readonly tracing?: Tracing;
  /** Called once for each change, with the error that ended the connection. Not called for `close`. */
  readonly onChange: (state: 'up' | 'down', cause?: Error) => void;
}

/**
 * One connection to Redis (one per node of a cluster). It reconnects by itself, however long an outage lasts. While
 * Redis is unavailable, commands fail at once: nothing is queued, and nothing is sent twice.
 */
export class RedisConnection implements OnApplicationShutdown {
  readonly name = 'redis';
  readonly client: Redis | Cluster;
  /** Undefined unless traces are recorded. */
  readonly spans?: RedisSpans;
  private state?: 'up' | 'down';
  private isClosing = false;
  private connections = 0;
  /** Why there is no connection, as the last attempt has shown. */
  private lastError?: Error;

  constructor(private readonly options: RedisConnectionOptions) {
    this.client = clientOf(options);
    if (options.tracing?.isOn) {
      this.spans = new RedisSpans(options.tracing, redisAddress(options.url, options.isCluster));
      this.spans.install(this.client);
    }
    this.reportChanges();
    this.countConnections();
    const limits = { commandTimeoutMs: options.commandTimeoutMs ?? 5000, connectionTimeoutMs: SILENCE_TIMEOUT_MS };
    const prepare = (node: Redis) => {
      sendTogether(node);
      limitSilence(node, limits);
    };
    if (this.client instanceof Redis) prepare(this.client);
    else connectMasters(this.client);
    this.client.on('+node', prepare);
  }

  /**
   * Changes before the first reply through a new connection: Redis may have come back with older data. In a cluster,
   * the new connection of any node is enough.
   */
  get generation(): number {
    return this.connections;
  }

  /** Calls `listener` each time that the server begins to take commands; in a cluster, each time that a node does. */
  onReady(listener: () => void): void {
    this.client.on('ready', listener);
    this.client.on('+node', (node: Redis) => node.on('ready', listener));
  }

  /** Starts to connect without waiting: the process starts even if Redis is unavailable. */
  connect(): void {
    // The events report the reason, and the client keeps trying.
    this.client.connect().catch(() => undefined);
  }

  /**
   * Resolves when commands can be sent: in a cluster to each master, except those that cannot be reached within
   * `timeoutMs`. Rejects with a `StoreError` if none can be sent by then.
   */
  async waitUntilReady(timeoutMs: number): Promise<void> {
    const endsAtMs = performance.now() + timeoutMs;
    await this.waitUntilUp(timeoutMs);
    await inTime(untilConnected(this.masters()), endsAtMs - performance.now()).catch(() => undefined);
  }

  /**
   * One shard that answers is enough: a cluster continues without the others. Throws `StoreError`, also if the server
   * answers and refuses the user the keys, or if its cluster takes no commands.
   */
  async ping(timeoutMs: number): Promise<void> {
    const { keys } = this.options;
    const pings = this.masters().map((node) => Promise.all([node.ping(), keys && probeKeys(node, keys)]));
    try {
      await firstAnswer(pings.map((ping) => inTime(orStoreError(ping), timeoutMs)));
    } catch (error) {
      if (this.client.status === 'ready' || !this.lastError) throw error;
      throw new StoreError('redis', 'unavailable', { cause: this.lastError });
    }
  }

  /**
   * Why the server may lose what the journal holds, or which part of a cluster is unavailable. Undefined if nothing is
   * wrong, or if it does not respond.
   */
  async unfitness(timeoutMs: number): Promise<string | undefined> {
    const unfitnessOfNode = (info: string) => unfitnessOf(info, this.options.isCluster);
    const infos = this.masters().map((node) => inTime(node.info(), timeoutMs).then(unfitnessOfNode, unknownFitness));
    const [incompleteness, ...reasons] = await Promise.all([this.incompleteness(timeoutMs), ...infos]);
    const unfitness = reasons.find((reason) => reason !== undefined);
    return incompleteness && unfitness ? `${incompleteness} ${unfitness}` : (incompleteness ?? unfitness);
  }

  /** The error of a command for which there was no connection, with the reason: the client does not tell it. */
  explained(error: unknown): unknown {
    const isWithoutReply = isOutage(error) && error.store === 'redis' && !(error.cause instanceof ReplyError);
    if (!isWithoutReply || !this.lastError) return error;
    return new StoreError('redis', error.outcome, { cause: this.lastError });
  }

  /** Why the server takes none of our commands, and never will. Undefined also if it does not tell what it is. */
  async mismatch(timeoutMs: number): Promise<string | undefined> {
    const mismatchOfNode = (info: string) => mismatchOf(info, this.options.isCluster);
    const tells = this.masters().map((node) => inTime(node.info(), timeoutMs).then(mismatchOfNode, () => undefined));
    return (await Promise.all(tells)).find((reason) => reason !== undefined);
  }

  /** Waits for the replies to what has been sent, if Redis is available. */
  async close(): Promise<void> {
    this.isClosing = true;
    // Reads of this iteration of the event loop are sent at its end.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.client.status === 'ready') await this.client.quit().catch(() => undefined);
    this.client.disconnect();
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  private async waitUntilUp(timeoutMs: number): Promise<void> {
    if (this.client.status === 'ready') return;
    await new Promise<void>((resolve, reject) => {
      const onReady = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.client.off('ready', onReady);
        reject(new StoreError('redis', 'unavailable', { cause: this.lastError }));
      }, timeoutMs);
      this.client.once('ready', onReady);
    });
  }

  private async incompleteness(timeoutMs: number): Promise<string | undefined> {
    const { keys } = this.options;
    if (!keys || !(this.client instanceof Cluster)) return undefined;
    const unavailable = await unavailableShards(this.client, keys, timeoutMs);
    return incompletenessOf(unavailable.length, keys.shards.length);
  }

  private masters(): readonly Redis[] {
    return this.client instanceof Cluster ? this.client.nodes('master') : [this.client];
  }

  private reportChanges(): void {
    let cause: Error | undefined;
    // The first error of a connection: others follow from it. Without a listener the client would print them, or end
    // the process.
    const onError = (error: Error) => {
      this.lastError = cause ??= error;
      if (isRefusedDatabase(error) && this.client instanceof Redis) this.client.stream.destroy();
    };
    this.client.on('connect', () => (cause = undefined));
    this.client.on('ready', () => {
      // In a cluster, other nodes may have failed since the client has connected to the first.
      this.lastError = cause;
      this.changeTo('up');
    });
    this.client.on('error', onError);
    this.client.on('node error', onError);
    this.client.on('close', () => this.changeTo('down', cause));
  }

  /** Counts a connection before it is ready, so that no command can be sent before the count. */
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

/**
 * The client would go on with database 0, which may be that of another deployment. It sends nothing else before this
 * reply.
 */
function isRefusedDatabase(error: Error & { command?: { name: string } }): boolean {
  return error.command?.name === 'select';
}
