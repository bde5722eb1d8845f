import { Module, type DynamicModule } from '@nestjs/common';
import { AttachmentStore } from '../../core/ports/attachment-store';
import { ExpiredAttachmentStore } from '../../core/ports/expired-attachment-store';
import { Outbox } from '../../core/ports/outbox';
import { TaskStore } from '../../core/ports/task-store';
import type { Database } from './database';
import { PostgresAttachmentStore } from './postgres-attachment-store';
import { PostgresConnection } from './postgres-connection';
import { PostgresExpiredAttachmentStore } from './postgres-expired-attachment-store';
import { PostgresOutbox } from './postgres-outbox';
import { PostgresTaskStore } from './postgres-task-store';
import { PublisherSession } from './publisher-session';

/** The durable stores, on a server or embedded. */
@Module({})
export class PostgresModule {
  /** The module closes the database. */
  static register(database: Database): DynamicModule {
    const { serverUrl } = database;
    const usePublisher = { provide: PublisherSession, useFactory: () => new PublisherSession(serverUrl as string) };
    return {
      module: PostgresModule,
      providers: [
        { provide: PostgresConnection, useFactory: () => new PostgresConnection(database) },
        // Nobody else can open an embedded database: this replica is the only one that publishes.
        ...(serverUrl === undefined ? [] : [usePublisher]),
        {
          provide: AttachmentStore,
          useFactory: (connection: PostgresConnection) => new PostgresAttachmentStore(connection),
          inject: [PostgresConnection],
        },
        {
          provide: TaskStore,
          useFactory: (connection: PostgresConnection) => new PostgresTaskStore(connection),
          inject: [PostgresConnection],
        },
        {
          provide: ExpiredAttachmentStore,
          useFactory: (connection: PostgresConnection) => new PostgresExpiredAttachmentStore(connection),
          inject: [PostgresConnection],
        },
        {
          provide: Outbox,
          useFactory: (connection: PostgresConnection, publisher?: PublisherSession) =>
            new PostgresOutbox(connection, publisher),
          inject: [PostgresConnection, { token: PublisherSession, optional: true }],
        },
      ],
      exports: [PostgresConnection, AttachmentStore, TaskStore, ExpiredAttachmentStore, Outbox],
    };
  }
}
