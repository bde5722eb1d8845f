import { createHash } from 'node:crypto';
import { Logger, Module, type DynamicModule } from '@nestjs/common';
import { traceIdOf } from '../../core/domain/trace-context';
import { CACHE_TIMEOUT_MS } from '../../core/ports/time-limits';
import { AttachmentCache } from '../../core/ports/attachment-cache';
import { AttachmentJournal, eventOf, versionOf, type JournalEntry } from '../../core/ports/attachment-journal';
import { CacheEpoch } from '../../core/ports/cache-epoch';
import { Tracing } from '../../core/ports/tracing';
import { RedisAttachmentCache } from './redis-attachment-cache';
import { RedisAttachmentJournal } from './redis-attachment-journal';
import { RedisConnection, type RedisConnectionOptions } from './redis-connection';
import { RedisEpoch } from './redis-epoch';
import { RedisKeys } from './redis-keys';

const KEY_HASH_LENGTH = 16;

export interface RedisModuleOptions extends Pick<RedisConnectionOptions, 'url' | 'isCluster' | 'tlsFiles'> {
  readonly cacheTtlMs: number;
  /** Before the name of every key. */
  readonly prefix: string;
  /** A fingerprint of the address of the store: another replica with the same one has the same store. */
  readonly storeAddress: string;
}

/** The cache that all replicas share, and the journal in it. */
@Module({})
export class RedisModule {
  static register({ prefix, cacheTtlMs, storeAddress, ...server }: RedisModuleOptions): DynamicModule {
    const keys = new RedisKeys(server.isCluster, prefix);
    return {
      module: RedisModule,
      providers: [
        {
          provide: RedisConnection,
          useFactory: (tracing: Tracing) => connect({ ...server, keys, tracing }),
          inject: [Tracing],
        },
        {
          provide: CacheEpoch,
          // Nothing is believed, journaled or drained before it is known to whom this Redis belongs.
          useFactory: (connection: RedisConnection) => unusedEpoch(connection),
          inject: [RedisConnection],
        },
        {
          provide: AttachmentCache,
          useFactory: (connection: RedisConnection, epoch: RedisEpoch) =>
            new RedisAttachmentCache(connection, keys, cacheTtlMs, epoch, storeAddress),
          inject: [RedisConnection, CacheEpoch],
        },
        {
          provide: AttachmentJournal,
          useFactory: (connection: RedisConnection, epoch: RedisEpoch) =>
            new RedisAttachmentJournal(connection, keys, cacheTtlMs, reportDeadLetter, epoch),
          inject: [RedisConnection, CacheEpoch],
        },
      ],
      exports: [RedisConnection, AttachmentCache, AttachmentJournal, CacheEpoch],
    };
  }
}

function unusedEpoch(connection: RedisConnection): RedisEpoch {
  const epoch = new RedisEpoch(connection);
  epoch.use(undefined);
  return epoch;
}

/** An acknowledged write is not in the store, and never will be by itself. */
function reportDeadLetter(entry?: JournalEntry): void {
  const trace = entry?.write && eventOf(entry.write).trace;
  const line = `a dead letter: ${entry ? textOf(entry) : 'an entry that cannot be read'}`;
  new Logger('journal').error(line, undefined, trace && { traceId: traceIdOf(trace.traceparent) });
}

/** The key only as a hash: it may be a secret of the caller. */
function textOf({ ref, write }: JournalEntry): string {
  const version = write && versionOf(write);
  const keyHash = createHash('sha256').update(ref.key).digest('hex').slice(0, KEY_HASH_LENGTH);
  return `task ${ref.taskId}, key with the SHA-256 ${keyHash}…, version ${version ?? 'unknown'}`;
}

function connect(options: Omit<RedisConnectionOptions, 'commandTimeoutMs' | 'onChange'>): RedisConnection {
  const logger = new Logger('redis');
  const connection = new RedisConnection({
    ...options,
    commandTimeoutMs: CACHE_TIMEOUT_MS,
    onChange: (state, cause) => {
      if (state === 'down') logger.warn(`not connected: ${cause?.message ?? 'connection closed'}`);
      else logger.log('connected');
    },
  });
  connection.connect();
  return connection;
}
