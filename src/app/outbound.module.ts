import { Global, Module, type DynamicModule } from '@nestjs/common';
import { MemoryModule } from '../outbound/memory/memory.module';
import { NatsModule } from '../outbound/nats/nats.module';
import type { Database } from '../outbound/postgres/database';
import { postgresIdentity } from '../outbound/postgres/postgres-address';
import { PostgresModule } from '../outbound/postgres/postgres.module';
import { PrometheusModule } from '../outbound/prometheus/prometheus.module';
import { RedisModule } from '../outbound/redis/redis.module';
import { SystemModule } from '../outbound/system/system.module';
import type { Config } from './config';
import { shortDigest } from './short-digest';

const FINGERPRINT_LENGTH = 16;

/** The adapter of every port of the core, as the configuration chooses it. Global: any module may use a port. */
@Global()
@Module({})
export class OutboundModule {
  static register(config: Config, database: Database): DynamicModule {
    const adapters = [
      PostgresModule.register(database, { hasNats: config.nats !== undefined }),
      cacheModule(config),
      eventBusModule(config),
    ];
    return {
      module: OutboundModule,
      imports: [SystemModule, PrometheusModule, ...adapters],
      exports: adapters,
    };
  }
}

function cacheModule({ redis, store, cacheTtlMs }: Config): DynamicModule {
  if (redis) {
    const { cluster: isCluster, ...server } = redis;
    return RedisModule.register({ ...server, isCluster, cacheTtlMs, storeAddress: addressOf(store) });
  }
  return MemoryModule.cache({ ttlMs: cacheTtlMs, isStoreShared: store.kind === 'postgres' });
}

/** Of all that decides which database is reached, and of no credential. */
function addressOf(store: Config['store']): string {
  const address = store.kind === 'postgres' ? postgresIdentity(store.url) : `embedded ${store.dataDir ?? 'in memory'}`;
  return shortDigest(address, FINGERPRINT_LENGTH);
}

function eventBusModule({ nats, instanceId }: Config): DynamicModule {
  return nats ? NatsModule.register({ ...nats, clientName: `dossier ${instanceId}` }) : MemoryModule.eventBus();
}
