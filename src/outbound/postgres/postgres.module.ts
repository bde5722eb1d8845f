import { Logger, Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { AttachmentStore } from '../../core/ports/attachment-store';
import { DueTaskStore } from '../../core/ports/due-task-store';
import { ExpiredAttachmentStore } from '../../core/ports/expired-attachment-store';
import { Outbox } from '../../core/ports/outbox';
import { StoreServer } from '../../core/ports/store-server';
import { TaskStore } from '../../core/ports/task-store';
import { Tracing } from '../../core/ports/tracing';
import type { Database } from './database';
import { NatsUse } from './nats-use';
import { PostgresAttachmentStore } from './postgres-attachment-store';
import { PostgresConnection } from './postgres-connection';
import { PostgresDueTaskStore } from './postgres-due-task-store';
import { PostgresExpiredAttachmentStore } from './postgres-expired-attachment-store';
import { PostgresOutbox } from './postgres-outbox';
import { PostgresStoreServer } from './postgres-store-server';
import { PostgresTaskStore } from './postgres-task-store';
import { PublisherSession } from './publisher-session';

/** The durable stores, on a server or embedded. */
@Module({})
export class PostgresModule {
  /** The module closes the database. */
  static register(database: Database, { hasNats }: { hasNats: boolean }): DynamicModule {
    const url = database.server?.directUrl;
    const usePublisher = { provide: PublisherSession, useFactory: () => new PublisherSession(url as string) };
    return {
      module: PostgresModule,
      providers: [
        connectionTo(database),
        // No other process can open an embedded database: this replica is the only one that publishes.
        ...(url === undefined ? [] : [usePublisher]),
        onConnection(AttachmentStore, PostgresAttachmentStore),
        onConnection(TaskStore, PostgresTaskStore),
        onConnection(ExpiredAttachmentStore, PostgresExpiredAttachmentStore),
        onConnection(DueTaskStore, PostgresDueTaskStore),
        onConnection(StoreServer, PostgresStoreServer),
        {
          provide: Outbox,
          useFactory: (connection: PostgresConnection, publisher?: PublisherSession) =>
            new PostgresOutbox(connection, publisher, new NatsUse(connection, hasNats, reportMissingNats)),
          inject: [PostgresConnection, { token: PublisherSession, optional: true }],
        },
      ],
      exports: [
        PostgresConnection,
        AttachmentStore,
        TaskStore,
        ExpiredAttachmentStore,
        DueTaskStore,
        Outbox,
        StoreServer,
      ],
    };
  }
}

function connectionTo(database: Database): FactoryProvider<PostgresConnection> {
  return {
    provide: PostgresConnection,
    useFactory: (tracing: Tracing) => new PostgresConnection(database, tracing),
    inject: [Tracing],
  };
}

function onConnection<Port>(
  port: abstract new (...args: never[]) => Port,
  adapter: new (connection: PostgresConnection) => Port,
): FactoryProvider<Port> {
  return {
    provide: port,
    useFactory: (connection: PostgresConnection) => new adapter(connection),
    inject: [PostgresConnection],
  };
}

function reportMissingNats(): void {
  new Logger('nats').warn(
    'the events of this database go to NATS: this replica has no NATS_URL and publishes none. `dossier nats off` ends this',
  );
}
