import { Global, Module, type DynamicModule } from '@nestjs/common';
import { MemoryModule } from '../outbound/memory/memory.module';
import { NatsModule } from '../outbound/nats/nats.module';
import type { Database } from '../outbound/postgres/database';
import { PostgresModule } from '../outbound/postgres/postgres.module';
import { PrometheusModule } from '../outbound/prometheus/prometheus.module';
import { RedisModule } from '../outbound/redis/redis.module';
import { SystemModule } from '../outbound/system/system.module';
import type { Config } from './config';

/** The adapter of every port of the core, as the configuration chooses it. Global: any room may use a port. */
@Global()
@Module({})
export class OutboundModule {
  static register(config: Config, database: Database): DynamicModule {
    const adapters = [PostgresModule.register(database), cacheModule(config), eventBusModule(config)];
    return {
      module: OutboundModule,
      imports: [SystemModule, PrometheusModule, ...adapters],
      exports: adapters,
    };
  }
}

function cacheModule({ redis, store, cacheTtlMs }: Config): DynamicModule {
  if (redis)
    return RedisModule.register({ url: redis.url, isCluster: redis.cluster, prefix: redis.prefix, cacheTtlMs });
  return MemoryModule.cache({ ttlMs: cacheTtlMs, isStoreShared: store.kind === 'postgres' });
}

function eventBusModule({ nats, instanceId }: Config): DynamicModule {
  return nats ? NatsModule.register({ ...nats, clientName: `dossier ${instanceId}` }) : MemoryModule.eventBus();
}
