import type { AttachmentCache } from '../core/ports/attachment-cache';
import type { AttachmentJournal } from '../core/ports/attachment-journal';
import type { AttachmentStore } from '../core/ports/attachment-store';
import type { Clock } from '../core/ports/clock';
import type { EventBus } from '../core/ports/event-bus';
import type { ExpiredAttachmentStore } from '../core/ports/expired-attachment-store';
import type { IdSource } from '../core/ports/id-source';
import type { Metrics } from '../core/ports/metrics';
import type { Outbox } from '../core/ports/outbox';
import type { StoreError } from '../core/ports/store-error';
import type { TaskStore } from '../core/ports/task-store';
import type { CoreSettings } from '../core/ports/core-settings';
import { AttachmentLookup } from '../core/consistency/attachment-lookup';
import { AttachmentWriter } from '../core/consistency/attachment-writer';
import { CancelTask } from '../core/use-cases/tasks/cancel-task';
import { CompleteTask } from '../core/use-cases/tasks/complete-task';
import { CorrectedList } from '../core/consistency/corrected-list';
import { CreateAttachment } from '../core/use-cases/attachments/create-attachment';
import { CreateTask } from '../core/use-cases/tasks/create-task';
import { DeleteAttachment } from '../core/use-cases/attachments/delete-attachment';
import { DeleteTask } from '../core/use-cases/tasks/delete-task';
import { DrainJournal } from '../core/use-cases/upkeep/drain-journal';
import { FollowEvents } from '../core/use-cases/events/follow-events';
import { GetAttachment } from '../core/use-cases/attachments/get-attachment';
import { GetAttachmentsBatch } from '../core/use-cases/attachments/get-attachments-batch';
import { GetTask } from '../core/use-cases/tasks/get-task';
import { IndexFiller } from '../core/consistency/index-filler';
import { IsForeignTask } from '../core/use-cases/tasks/is-foreign-task';
import { ListAttachments } from '../core/use-cases/attachments/list-attachments';
import { ListTasks } from '../core/use-cases/tasks/list-tasks';
import { ProjectChanges } from '../core/use-cases/upkeep/project-changes';
import { PublishEvents } from '../core/use-cases/events/publish-events';
import { PurgeHistory } from '../core/use-cases/upkeep/purge-history';
import { ReplicaMemory } from '../core/consistency/replica-memory';
import { ReportBacklog } from '../core/use-cases/upkeep/report-backlog';
import { SweepExpired } from '../core/use-cases/upkeep/sweep-expired';
import { UpdateTask } from '../core/use-cases/tasks/update-task';

/** One adapter for each port. */
export interface Ports {
  readonly store: AttachmentStore;
  readonly tasks: TaskStore;
  readonly cache: AttachmentCache;
  readonly journal: AttachmentJournal;
  readonly expired: ExpiredAttachmentStore;
  readonly outbox: Outbox;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly metrics: Metrics;
  readonly settings: CoreSettings;
  /** For how long the cache keeps what it is not told of again. */
  readonly cacheTtlMs: number;
}

/** The port as a method is to use it. */
export type WithBreaker = <Port extends object>(store: StoreError['store'], method: string, port: Port) => Port;

/** Every use case, once. Each method passes guards of its own; what goes on in the background passes none. */
export function wireUseCases(ports: Ports, guard: WithBreaker): readonly object[] {
  const memory = new ReplicaMemory();
  return [
    ...attachmentUseCases(ports, guard, memory),
    ...taskUseCases(ports, guard, memory),
    ...backgroundUseCases(ports, memory),
  ];
}

function attachmentUseCases(ports: Ports, guard: WithBreaker, memory: ReplicaMemory): readonly object[] {
  const { clock, ids, metrics, settings } = ports;
  const store = (method: string) => guard('postgres', method, ports.store);
  const cache = (method: string) => guard('redis', method, ports.cache);
  const lookup = (method: string) => new AttachmentLookup(store(method), cache(method), clock, metrics, memory);
  const writer = (method: string) => attachmentWriter(ports, guard, memory, method);
  const [create, list, remove] = ['task.create_attachment', 'task.list_attachments', 'task.delete_attachment'] as const;
  const filler = new IndexFiller(ports.store, ports.cache, clock);
  const corrected = new CorrectedList(store(list), cache(list), lookup(list), memory);
  return [
    new CreateAttachment(writer(create), ids, metrics, settings),
    new GetAttachment(lookup('task.get_attachment')),
    new GetAttachmentsBatch(lookup('task.get_attachments_batch')),
    new ListAttachments(store(list), cache(list), lookup(list), clock, metrics, filler, corrected, memory),
    new DeleteAttachment(store(remove), writer(remove), lookup(remove), clock, ids),
  ];
}

function taskUseCases(ports: Ports, guard: WithBreaker, memory: ReplicaMemory): readonly object[] {
  const { clock, ids, metrics, settings } = ports;
  const tasks = (method: string) => guard('postgres', method, ports.tasks);
  const cache = (method: string) => guard('redis', method, ports.cache);
  const [create, complete, remove] = ['task.create', 'task.complete', 'task.delete'] as const;
  const writer = attachmentWriter(ports, guard, memory, complete);
  return [
    new CreateTask(tasks(create), cache(create), clock, ids, metrics, settings, memory),
    new GetTask(tasks('task.get'), clock),
    new UpdateTask(tasks('task.update'), clock, ids),
    new CompleteTask(tasks(complete), writer, clock, ids, metrics, settings),
    new CancelTask(tasks('task.cancel'), clock, ids),
    new ListTasks(tasks('task.list'), clock),
    new IsForeignTask(tasks(remove)),
    new DeleteTask(tasks(remove), cache(remove), clock, ids, settings, memory),
  ];
}

function attachmentWriter(ports: Ports, guard: WithBreaker, memory: ReplicaMemory, method: string): AttachmentWriter {
  const store = guard('postgres', method, ports.store);
  const cache = guard('redis', method, ports.cache);
  const journal = guard('redis', method, ports.journal);
  return new AttachmentWriter(store, cache, journal, ports.clock, ports.ids, memory);
}

function backgroundUseCases(ports: Ports, memory: ReplicaMemory): readonly object[] {
  const { store, cache, journal, expired, outbox, bus, clock, metrics, cacheTtlMs } = ports;
  return [
    new DrainJournal(journal, store),
    new ProjectChanges(cache, outbox, memory, clock, cacheTtlMs),
    new PublishEvents(outbox, bus, metrics),
    new FollowEvents(outbox),
    new SweepExpired(expired, cache, clock),
    new ReportBacklog(outbox, journal, metrics),
    new PurgeHistory(outbox, expired, clock),
  ];
}
