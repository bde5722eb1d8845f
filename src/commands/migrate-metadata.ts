import { Registry } from 'prom-client';
import { causeOf } from '../app/cause-of';
import { loadConfig, type Config } from '../app/config';
import { CoreSettings } from '../core/ports/core-settings';
import type { ConvertRetiredData } from '../core/use-cases/upkeep/convert-retired-data';
import { openDatabase } from '../app/open-database';
import { composeUseCases } from '../app/use-cases';
import { MemoryAttachmentCache } from '../outbound/memory/memory-attachment-cache';
import { MemoryEventBus } from '../outbound/memory/memory-event-bus';
import { NoAttachmentJournal } from '../outbound/memory/no-attachment-journal';
import { runMigrations } from '../outbound/postgres/migrate';
import { PostgresAttachmentStore } from '../outbound/postgres/postgres-attachment-store';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { PostgresExpiredAttachmentStore } from '../outbound/postgres/postgres-expired-attachment-store';
import { PostgresOutbox } from '../outbound/postgres/postgres-outbox';
import { PostgresTaskStore } from '../outbound/postgres/postgres-task-store';
import { PrometheusMetrics } from '../outbound/prometheus/prometheus-metrics';
import { RedisAttachmentCache } from '../outbound/redis/redis-attachment-cache';
import { RedisConnection } from '../outbound/redis/redis-connection';
import { RedisKeys } from '../outbound/redis/redis-keys';
import { RandomIdSource } from '../outbound/system/random-id-source';
import { SystemClock } from '../outbound/system/system-clock';

const REDIS_TIMEOUT_MS = 2000;
/** Nothing reads from it: where Redis is not configured, every replica learns of changes by its projection. */
const UNUSED_CACHE = { ttlMs: 1, maxTasks: 1, maxBytes: 1, isStoreShared: false };

/** `node dist/migrate-metadata.js`: turns what tasks hold in the retired `metadata.data` into attachments. */
async function main(): Promise<void> {
  const config = loadConfig();
  const database = await openDatabase(config);
  const postgres = new PostgresConnection(database);
  const redis = config.redis && openRedis(config.redis);
  try {
    await runMigrations(database);
    // A cache that is not told would go on answering without the new attachments.
    await redis?.waitUntilReady(REDIS_TIMEOUT_MS);
    await convertAll(compose(config, postgres, redis));
  } finally {
    await Promise.all([postgres.close(), redis?.close()]);
  }
}

async function convertAll(conversion: ConvertRetiredData): Promise<void> {
  let converted = 0;
  let afterId: string | undefined;
  do {
    const batch = await conversion.execute(afterId);
    converted += batch.converted;
    afterId = batch.lastId;
    // As JSON, because the names of the members are whatever a client has sent.
    for (const unconverted of batch.unconverted) process.stderr.write(`${JSON.stringify(unconverted)}\n`);
    if (batch.unconverted.length > 0) process.exitCode = 1;
  } while (afterId !== undefined);
  process.stdout.write(`converted tasks: ${converted}\n`);
}

function openRedis({ url, cluster }: { url: string; cluster: boolean }): RedisConnection {
  const onChange = () => undefined;
  const redis = new RedisConnection({ url, isCluster: cluster, commandTimeoutMs: REDIS_TIMEOUT_MS, onChange });
  redis.connect();
  return redis;
}

function compose(config: Config, postgres: PostgresConnection, redis?: RedisConnection): ConvertRetiredData {
  const clock = new SystemClock();
  const { instanceId, maxAttachmentBytes, cacheTtlMs } = config;
  const { convertRetiredData } = composeUseCases({
    store: new PostgresAttachmentStore(postgres),
    tasks: new PostgresTaskStore(postgres),
    cache: redis
      ? new RedisAttachmentCache(redis, new RedisKeys(config.redis?.cluster ?? false), cacheTtlMs)
      : new MemoryAttachmentCache(clock, UNUSED_CACHE),
    // Every write of the conversion is conditional: none of them is for a journal.
    journal: new NoAttachmentJournal(),
    expired: new PostgresExpiredAttachmentStore(postgres),
    outbox: new PostgresOutbox(postgres),
    bus: new MemoryEventBus(),
    clock,
    ids: new RandomIdSource(),
    metrics: new PrometheusMetrics(new Registry()),
    settings: new CoreSettings(instanceId, maxAttachmentBytes, cacheTtlMs),
  });
  return convertRetiredData;
}

main().catch((error: unknown) => {
  process.stderr.write(`migrate-metadata: ${causeOf(error)}\n`);
  process.exit(1);
});
