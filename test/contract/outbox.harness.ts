import type { ExpiredAttachmentStore } from '../../src/core/ports/expired-attachment-store';
import type { Outbox } from '../../src/core/ports/outbox';
import type { StoreServer } from '../../src/core/ports/store-server';
import { MemoryAttachmentStore } from '../../src/outbound/memory/memory-attachment-store';
import { MemoryDatabase } from '../../src/outbound/memory/memory-database';
import { MemoryExpiredAttachmentStore } from '../../src/outbound/memory/memory-expired-attachment-store';
import { MemoryOutbox } from '../../src/outbound/memory/memory-outbox';
import { MemoryStoreServer } from '../../src/outbound/memory/memory-store-server';
import { MemoryTaskStore } from '../../src/outbound/memory/memory-task-store';
import type { Database } from '../../src/outbound/postgres/database';
import { openMemoryDatabase } from '../../src/outbound/postgres/embedded-database';
import { PostgresExpiredAttachmentStore } from '../../src/outbound/postgres/postgres-expired-attachment-store';
import { PostgresOutbox } from '../../src/outbound/postgres/postgres-outbox';
import { PostgresStoreServer } from '../../src/outbound/postgres/postgres-store-server';
import { PublisherSession } from '../../src/outbound/postgres/publisher-session';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { startPostgres } from '../support/postgres-server';
import { databaseHarness, NOW_MS, type StoreHarness } from './attachment-store.harness';

export interface OutboxHarness extends Pick<StoreHarness, 'attachments' | 'tasks'> {
  readonly outbox: Outbox;
  readonly expired: ExpiredAttachmentStore;
  readonly server: StoreServer;
  /** The present time of the outbox. */
  nowMs(): number;
  /** Makes every record older. */
  age(ms: number): Promise<unknown>;
  close(): Promise<void>;
}

export const OUTBOX_HARNESSES: readonly [string, () => Promise<OutboxHarness>][] = [
  ['in memory', () => Promise.resolve(memoryHarness())],
  ['on PGlite', async () => onDatabase(await openMemoryDatabase())],
  ['on PostgreSQL', onServer],
];

function memoryHarness(): OutboxHarness {
  const clock = { ms: NOW_MS, nowMs: () => clock.ms };
  const database = new MemoryDatabase(clock);
  return {
    attachments: new MemoryAttachmentStore(database),
    tasks: new MemoryTaskStore(database),
    outbox: new MemoryOutbox(database, clock),
    expired: new MemoryExpiredAttachmentStore(database),
    server: new MemoryStoreServer(database),
    nowMs: () => clock.ms,
    age: (ms) => Promise.resolve((clock.ms += ms)),
    close: () => Promise.resolve(),
  };
}

async function onDatabase(database: Database, publisher?: PublisherSession): Promise<OutboxHarness> {
  const { connection, ...stores } = await databaseHarness(database);
  return {
    ...stores,
    outbox: new PostgresOutbox(connection, publisher),
    expired: new PostgresExpiredAttachmentStore(connection),
    server: new PostgresStoreServer(connection),
    nowMs: () => Date.now(),
    age: async (ms) => {
      for (const table of ['outbox_history', 'outbox_waiting']) {
        await connection.query(`UPDATE ${table} SET at = at - $1 * interval '1 ms'`, [ms]);
      }
    },
    close: async () => {
      await publisher?.close();
      await connection.close();
    },
  };
}

async function onServer(): Promise<OutboxHarness> {
  const server = await startPostgres();
  const harness = await onDatabase(serverDatabase({ url: server.url, poolSize: 4 }), new PublisherSession(server.url));
  return { ...harness, close: () => harness.close().finally(() => server.stop()) };
}
