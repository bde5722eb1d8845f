import { AttachmentRemover } from '../core/consistency/attachment-remover';
import { CachedPages } from '../core/consistency/cached-pages';
import { CorrectedList } from '../core/consistency/corrected-list';
import { StoredPages } from '../core/consistency/stored-pages';
import { CreateAttachment } from '../core/use-cases/attachments/create-attachment';
import { DeleteAttachment } from '../core/use-cases/attachments/delete-attachment';
import { GetAttachment } from '../core/use-cases/attachments/get-attachment';
import { GetAttachmentsBatch } from '../core/use-cases/attachments/get-attachments-batch';
import { ListAttachments } from '../core/use-cases/attachments/list-attachments';
import { FollowEvents } from '../core/use-cases/events/follow-events';
import { PublishEvents } from '../core/use-cases/events/publish-events';
import { CancelTask } from '../core/use-cases/tasks/cancel-task';
import { CompleteTask } from '../core/use-cases/tasks/complete-task';
import { CreateTask } from '../core/use-cases/tasks/create-task';
import { DeleteTask } from '../core/use-cases/tasks/delete-task';
import { GetTask } from '../core/use-cases/tasks/get-task';
import { GetUsage } from '../core/use-cases/tasks/get-usage';
import { IsForeignTask } from '../core/use-cases/tasks/is-foreign-task';
import { ListTasks } from '../core/use-cases/tasks/list-tasks';
import { UpdateTask } from '../core/use-cases/tasks/update-task';
import { ContinueDeletions } from '../core/use-cases/upkeep/continue-deletions';
import { ConvertRetiredData } from '../core/use-cases/upkeep/convert-retired-data';
import { CountDue } from '../core/use-cases/upkeep/count-due';
import { DeleteDueTasks } from '../core/use-cases/upkeep/delete-due-tasks';
import { DrainJournal } from '../core/use-cases/upkeep/drain-journal';
import { ImportAttachment } from '../core/use-cases/upkeep/import-attachment';
import { ImportTask } from '../core/use-cases/upkeep/import-task';
import { ProjectChanges } from '../core/use-cases/upkeep/project-changes';
import { PurgeHistory } from '../core/use-cases/upkeep/purge-history';
import { ReplayWrite } from '../core/use-cases/upkeep/replay-write';
import { ReportBacklog } from '../core/use-cases/upkeep/report-backlog';
import { SweepExpired } from '../core/use-cases/upkeep/sweep-expired';
import { Composition, type WithBreaker } from './composition';
import { newReplicaState, type Ports } from './replica-state';

/** Every use case, each once. */
export abstract class UseCases {
  abstract readonly createAttachment: CreateAttachment;
  abstract readonly getAttachment: GetAttachment;
  abstract readonly getAttachmentsBatch: GetAttachmentsBatch;
  abstract readonly listAttachments: ListAttachments;
  abstract readonly deleteAttachment: DeleteAttachment;

  abstract readonly createTask: CreateTask;
  abstract readonly getTask: GetTask;
  abstract readonly listTasks: ListTasks;
  abstract readonly updateTask: UpdateTask;
  abstract readonly completeTask: CompleteTask;
  abstract readonly cancelTask: CancelTask;
  abstract readonly deleteTask: DeleteTask;
  abstract readonly getUsage: GetUsage;
  abstract readonly isForeignTask: IsForeignTask;

  abstract readonly publishEvents: PublishEvents;
  abstract readonly followEvents: FollowEvents;

  abstract readonly drainJournal: DrainJournal;
  abstract readonly projectChanges: ProjectChanges;
  abstract readonly sweepExpired: SweepExpired;
  abstract readonly continueDeletions: ContinueDeletions;
  abstract readonly deleteDueTasks: DeleteDueTasks;
  abstract readonly countDue: CountDue;
  abstract readonly reportBacklog: ReportBacklog;
  abstract readonly purgeHistory: PurgeHistory;
  abstract readonly convertRetiredData: ConvertRetiredData;
  abstract readonly replayWrite: ReplayWrite;
  abstract readonly importTask: ImportTask;
  abstract readonly importAttachment: ImportAttachment;
}

type ClassOf<T> = abstract new (...args: never[]) => T;

/** The class of each use case, as the token under which it is injected. */
export const USE_CASE_CLASSES: { readonly [Name in keyof UseCases]: ClassOf<UseCases[Name]> } = {
  createAttachment: CreateAttachment,
  getAttachment: GetAttachment,
  getAttachmentsBatch: GetAttachmentsBatch,
  listAttachments: ListAttachments,
  deleteAttachment: DeleteAttachment,
  createTask: CreateTask,
  getTask: GetTask,
  listTasks: ListTasks,
  updateTask: UpdateTask,
  completeTask: CompleteTask,
  cancelTask: CancelTask,
  deleteTask: DeleteTask,
  getUsage: GetUsage,
  isForeignTask: IsForeignTask,
  publishEvents: PublishEvents,
  followEvents: FollowEvents,
  drainJournal: DrainJournal,
  projectChanges: ProjectChanges,
  sweepExpired: SweepExpired,
  continueDeletions: ContinueDeletions,
  deleteDueTasks: DeleteDueTasks,
  countDue: CountDue,
  reportBacklog: ReportBacklog,
  purgeHistory: PurgeHistory,
  convertRetiredData: ConvertRetiredData,
  replayWrite: ReplayWrite,
  importTask: ImportTask,
  importAttachment: ImportAttachment,
};

const WITHOUT_BREAKER: WithBreaker = (_store, _method, port) => port;

/** Each method of the API has breakers of its own; what goes on in the background has none. */
export function composeUseCases(
  ports: Ports,
  { withBreaker = WITHOUT_BREAKER, state = newReplicaState(ports) } = {},
): UseCases {
  const composition = new Composition(ports, withBreaker, state);
  return { ...attachmentUseCases(composition), ...taskUseCases(composition), ...backgroundUseCases(composition) };
}

function attachmentUseCases(composition: Composition) {
  const { ports, state, factory } = composition;
  const { clock, ids, metrics } = ports;
  const { trust, acknowledged, filler } = state;
  const [create, list, remove] = ['task.create_attachment', 'task.list_attachments', 'task.delete_attachment'] as const;
  const [store, cache, lookup] = [composition.store(list), composition.cache(list), composition.lookup(list)];
  const cachedPages = new CachedPages(cache, lookup, metrics, acknowledged);
  const corrected = new CorrectedList(store, cache, lookup, acknowledged);
  const storedPages = new StoredPages(store, cache, corrected, filler, metrics);
  const writer = composition.writer(remove);
  const remover = new AttachmentRemover(composition.store(remove), writer, composition.lookup(remove), clock, ids);
  return {
    createAttachment: new CreateAttachment(
      factory,
      composition.writer(create),
      metrics,
      clock,
      composition.quota(create),
    ),
    getAttachment: new GetAttachment(composition.lookup('task.get_attachment')),
    getAttachmentsBatch: new GetAttachmentsBatch(composition.lookup('task.get_attachments_batch')),
    listAttachments: new ListAttachments(cachedPages, storedPages, clock, metrics, trust, acknowledged),
    deleteAttachment: new DeleteAttachment(remover, state.usage),
  };
}

function taskUseCases(composition: Composition) {
  const { ports, state, factory } = composition;
  const { clock, ids, metrics } = ports;
  const { acknowledged, usage } = state;
  const tasks = (method: string) => composition.tasks(method);
  const [create, complete, remove] = ['task.create', 'task.complete', 'task.delete'] as const;
  const createCache = composition.cache(create);
  const quota = composition.quota(create);
  return {
    createTask: new CreateTask(tasks(create), createCache, factory, clock, ids, metrics, acknowledged, quota),
    getTask: new GetTask(tasks('task.get'), clock),
    listTasks: new ListTasks(tasks('task.list'), clock),
    updateTask: new UpdateTask(tasks('task.update'), clock, ids),
    completeTask: new CompleteTask(
      tasks(complete),
      factory,
      composition.writer(complete),
      clock,
      ids,
      metrics,
      composition.quota(complete),
    ),
    cancelTask: new CancelTask(tasks('task.cancel'), clock, ids),
    deleteTask: new DeleteTask(composition.treeRemover(tasks(remove), composition.cache(remove)), clock, usage),
    getUsage: new GetUsage(tasks('task.usage'), usage, ports.quotas, clock),
    isForeignTask: new IsForeignTask(tasks(remove)),
  };
}

function backgroundUseCases(composition: Composition) {
  const { ports, state, factory } = composition;
  const { store, tasks, cache, journal, expired, dueTasks, outbox, bus, clock, ids, metrics, settings, tracing } =
    ports;
  const { trust, backlog, epochs } = state;
  const writer = composition.writer();
  const remover = new AttachmentRemover(store, writer, composition.lookup(), clock, ids);
  const treeRemover = composition.treeRemover(tasks, cache);
  return {
    publishEvents: new PublishEvents(outbox, bus, metrics, clock),
    followEvents: new FollowEvents(outbox),
    drainJournal: new DrainJournal(journal, store, backlog, tracing),
    projectChanges: new ProjectChanges(cache, outbox, trust, epochs, clock, settings),
    sweepExpired: new SweepExpired(expired, cache, clock),
    continueDeletions: new ContinueDeletions(tasks, treeRemover),
    deleteDueTasks: new DeleteDueTasks(dueTasks, treeRemover, clock, settings),
    countDue: new CountDue(expired, dueTasks, clock, settings),
    reportBacklog: new ReportBacklog(outbox, journal, metrics),
    purgeHistory: new PurgeHistory(outbox, expired, clock),
    convertRetiredData: new ConvertRetiredData(tasks, factory, writer, clock, ids, settings),
    replayWrite: new ReplayWrite(store, writer, remover, clock, settings),
    importTask: new ImportTask(tasks, clock, ids),
    importAttachment: new ImportAttachment(store, writer, clock, settings),
  };
}
