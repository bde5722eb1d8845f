import { Logger, Module, type DynamicModule } from '@nestjs/common';
import { CACHE_TIMEOUT_MS } from '../../core/ports/time-limits';
import { AttachmentCache } from '../../core/ports/attachment-cache';
import { AttachmentJournal } from '../../core/ports/attachment-journal';
import { RedisAttachmentCache } from './redis-attachment-cache';
import { RedisAttachmentJournal } from './redis-attachment-journal';
import { RedisConnection, type RedisConnectionOptions } from './redis-connection';
import { RedisKeys } from './redis-keys';

const FITNESS_TIMEOUT_MS = 3000;

export interface RedisModuleOptions extends Pick<RedisConnectionOptions, 'url' | 'isCluster'> {
  readonly cacheTtlMs: number;
}

/** The cache that all replicas share, and the journal in it. */
@Module({})
export class RedisModule {
  static register({ url, isCluster, cacheTtlMs }: RedisModuleOptions): DynamicModule {
    const keys = new RedisKeys(isCluster);
    return {
      module: RedisModule,
      providers: [
        { provide: RedisConnection, useFactory: () => connect({ url, isCluster }) },
        {
          provide: AttachmentCache,
          useFactory: (connection: RedisConnection) => new RedisAttachmentCache(connection, keys, cacheTtlMs),
          inject: [RedisConnection],
        },
        {
          provide: AttachmentJournal,
          useFactory: (connection: RedisConnection) => new RedisAttachmentJournal(connection, keys, cacheTtlMs),
          inject: [RedisConnection],
        },
      ],
      exports: [RedisConnection, AttachmentCache, AttachmentJournal],
    };
  }
}

function connect(options: Pick<RedisConnectionOptions, 'url' | 'isCluster'>): RedisConnection {
  const logger = new Logger('redis');
  const warnIfUnfit = async () => {
    const reason = await connection.unfitness(FITNESS_TIMEOUT_MS);
    if (reason !== undefined) logger.warn(reason);
  };
  const connection = new RedisConnection({
    ...options,
    commandTimeoutMs: CACHE_TIMEOUT_MS,
    onChange: (state, cause) => {
      if (state === 'down') return logger.warn(`not connected: ${cause?.message ?? 'connection closed'}`);
      logger.log('connected');
      void warnIfUnfit();
    },
  });
  connection.connect();
  return connection;
}
