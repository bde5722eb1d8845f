import { Global, Module, type DynamicModule, type Type } from '@nestjs/common';
import { AttachmentCache } from '../core/ports/attachment-cache';
import { AttachmentJournal } from '../core/ports/attachment-journal';
import { AttachmentStore } from '../core/ports/attachment-store';
import { Clock } from '../core/ports/clock';
import { CoreSettings } from '../core/ports/core-settings';
import { EventBus } from '../core/ports/event-bus';
import { ExpiredAttachmentStore } from '../core/ports/expired-attachment-store';
import { IdSource } from '../core/ports/id-source';
import { Metrics } from '../core/ports/metrics';
import { Outbox } from '../core/ports/outbox';
import { TaskStore } from '../core/ports/task-store';
import { Breakers } from '../outbound/breakers/breakers';
import { BreakersModule } from '../outbound/breakers/breakers.module';
import type { Database } from '../outbound/postgres/database';
import type { Config } from './config';
import { OutboundModule } from './outbound.module';
import { wireUseCases, type Guard, type Ports } from './use-cases';
import { CreateAttachment } from '../core/use-cases/attachments/create-attachment';
import { GetAttachment } from '../core/use-cases/attachments/get-attachment';
import { GetAttachmentsBatch } from '../core/use-cases/attachments/get-attachments-batch';
import { ListAttachments } from '../core/use-cases/attachments/list-attachments';
import { DeleteAttachment } from '../core/use-cases/attachments/delete-attachment';
import { CreateTask } from '../core/use-cases/tasks/create-task';
import { GetTask } from '../core/use-cases/tasks/get-task';
import { UpdateTask } from '../core/use-cases/tasks/update-task';
import { CompleteTask } from '../core/use-cases/tasks/complete-task';
import { CancelTask } from '../core/use-cases/tasks/cancel-task';
import { ListTasks } from '../core/use-cases/tasks/list-tasks';
import { DeleteTask } from '../core/use-cases/tasks/delete-task';
import { IsForeignTask } from '../core/use-cases/tasks/is-foreign-task';
import { FollowEvents } from '../core/use-cases/events/follow-events';
import { PublishEvents } from '../core/use-cases/events/publish-events';
import { DrainJournal } from '../core/use-cases/upkeep/drain-journal';
import { ProjectChanges } from '../core/use-cases/upkeep/project-changes';
import { SweepExpired } from '../core/use-cases/upkeep/sweep-expired';
import { ReportBacklog } from '../core/use-cases/upkeep/report-backlog';
import { ConvertRetiredData } from '../core/use-cases/upkeep/convert-retired-data';
import { PurgeHistory } from '../core/use-cases/upkeep/purge-history';

type Token<T> = abstract new (...args: never[]) => T;

/** The token of each port. */
const PORT_TOKENS: { readonly [Name in keyof Omit<Ports, 'cacheTtlMs'>]: Token<Ports[Name]> } = {
  store: AttachmentStore,
  tasks: TaskStore,
  cache: AttachmentCache,
  journal: AttachmentJournal,
  expired: ExpiredAttachmentStore,
  outbox: Outbox,
  bus: EventBus,
  clock: Clock,
  ids: IdSource,
  metrics: Metrics,
  settings: CoreSettings,
};
const ALL = 'use cases';
const CLASSES: Type[] = [
  CreateAttachment,
  GetAttachment,
  GetAttachmentsBatch,
  ListAttachments,
  DeleteAttachment,
  CreateTask,
  GetTask,
  UpdateTask,
  CompleteTask,
  CancelTask,
  ListTasks,
  DeleteTask,
  IsForeignTask,
  FollowEvents,
  PublishEvents,
  DrainJournal,
  ProjectChanges,
  SweepExpired,
  ReportBacklog,
  PurgeHistory,
  ConvertRetiredData,
];

/** Every use case, on the ports that the configuration chooses. */
@Global()
@Module({})
export class UseCasesModule {
  static register(config: Config, database: Database): DynamicModule {
    const { instanceId, maxAttachmentBytes } = config;
    const names = Object.keys(PORT_TOKENS);
    return {
      module: UseCasesModule,
      imports: [OutboundModule.register(config, database), BreakersModule],
      providers: [
        { provide: CoreSettings, useValue: new CoreSettings(instanceId, maxAttachmentBytes) },
        {
          provide: ALL,
          useFactory: (breakers: Breakers, ...adapters: unknown[]) => {
            const ports = Object.fromEntries(names.map((name, i) => [name, adapters[i]]));
            return wireUseCases(
              { ...(ports as unknown as Ports), cacheTtlMs: config.cacheTtlMs },
              guardOf(config, breakers),
            );
          },
          inject: [Breakers, ...Object.values(PORT_TOKENS)],
        },
        ...CLASSES.map((one) => ({
          provide: one,
          useFactory: (all: readonly object[]) => all.find((useCase) => useCase instanceof one),
          inject: [ALL],
        })),
      ],
      exports: [BreakersModule, CoreSettings, ...CLASSES],
    };
  }
}

/** What is embedded cannot be unavailable: its ports need no breaker. */
function guardOf({ store, redis }: Config, breakers: Breakers): Guard {
  const servers = { postgres: store.kind === 'postgres', redis: redis !== undefined };
  return (store, method, port) => (servers[store] ? breakers.guard(store, method, port) : port);
}
