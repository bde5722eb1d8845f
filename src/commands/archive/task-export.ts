import type { AttachmentRef } from '../../core/domain/attachment';
import { jsonElements, jsonMembers } from '../../core/domain/json-text';
import { MAX_ATTACHMENTS_PER_BATCH, MAX_ATTACHMENTS_PER_PAGE } from '../../core/domain/limits';
import { CommandError, EXIT } from '../exit-code';
import { RemoteRefusal } from '../remote/remote-service';
import type { ArchiveWriter } from './archive-writer';
import type { PatientService } from './patient-service';
import { wholeList, type ListPage } from './whole-list';

/** Even with the largest metadata and errors, a page of tasks fits into a reply. */
const TASKS_PER_PAGE = 50;
/** Of the bodies that are asked for together; one alone may be larger. */
const MAX_BATCH_BYTES = 2 * 1024 * 1024;

interface Outline extends AttachmentRef {
  readonly version: number;
  readonly bytes: number;
}

/** Copies a task, its sub-tasks and all their attachments from a service into an archive. */
export class TaskExport {
  /** Tasks that are known and were not copied yet. */
  private readonly waiting: string[] = [];
  private done = 0;
  private total = 0;

  constructor(
    private readonly service: PatientService,
    private readonly archive: ArchiveWriter,
    private readonly onProgress: (done: number, total: number) => void,
  ) {}

  /** Throws `CommandError`. */
  async run(root: string): Promise<void> {
    this.plan([root]);
    for (let id = this.waiting.shift(); id !== undefined; id = this.waiting.shift()) {
      if ((await this.copyTask(id)) || id !== root) continue;
      throw new CommandError(`there is no task ${id}`, EXIT.refused);
    }
  }

  private plan(ids: readonly string[]): void {
    this.waiting.push(...ids);
    this.progress(0, ids.length);
  }

  private progress(done: number, found = 0): void {
    this.done += done;
    this.total += found;
    this.onProgress(this.done, this.total);
  }

  /** False if the task is not there any more. */
  private async copyTask(id: string): Promise<boolean> {
    try {
      await this.archive.addTask(id, await this.service.call('task.get', { id }));
      this.progress(1);
      this.plan(await this.childrenOf(id));
      await this.copyAttachments(await this.outlinesOf(id));
      return true;
    } catch (error) {
      if (error instanceof RemoteRefusal && error.error.data?.code === 'TASK_NOT_FOUND') return false;
      throw error;
    }
  }

  private childrenOf(parentId: string): Promise<readonly string[]> {
    const page = async (offset: number): Promise<ListPage<string>> => {
      const members = jsonMembers(await this.service.call('task.list', { parentId, limit: TASKS_PER_PAGE, offset }));
      const ids = elementsOf(members, 'tasks').map((task) => JSON.parse(task.get('id') as string) as string);
      return { elements: ids, hasMore: members.get('hasMore') === 'true' };
    };
    return wholeList(page, (a, b) => a === b);
  }

  private outlinesOf(taskId: string): Promise<readonly Outline[]> {
    const page = async (offset: number): Promise<ListPage<Outline>> => {
      const params = { taskId, includeBodies: false, limit: MAX_ATTACHMENTS_PER_PAGE, offset };
      const members = jsonMembers(await this.service.call('task.list_attachments', params));
      refuseDegraded(members);
      const outlines = elementsOf(members, 'attachments').map((outline) => ({
        taskId,
        key: JSON.parse(outline.get('key') as string) as string,
        version: Number(outline.get('version')),
        bytes: Number(outline.get('bytes') ?? 0),
      }));
      return { elements: outlines, hasMore: members.get('hasMore') === 'true' };
    };
    return wholeList(page, (a, b) => a.key === b.key);
  }

  private async copyAttachments(outlines: readonly Outline[]): Promise<void> {
    const missing = outlines.filter((outline) => !this.archive.hasAttachment(outline, outline.version));
    this.progress(outlines.length - missing.length, outlines.length);
    for (const batch of batchesOf(missing)) {
      const requests = batch.map(({ taskId, key }) => ({ taskId, key }));
      const params = { requests, allowMissing: true };
      const members = jsonMembers(await this.service.call('task.get_attachments_batch', params));
      refuseDegraded(members);
      for (const attachment of jsonElements(members.get('attachments') as string)) {
        // Null: it was deleted, or has expired, since it was listed.
        if (attachment !== 'null') await this.archive.addAttachment(attachment);
      }
      this.progress(batch.length);
    }
  }
}

function elementsOf(members: Map<string, string>, name: string): readonly Map<string, string>[] {
  return jsonElements(members.get(name) as string).map(jsonMembers);
}

function refuseDegraded(members: Map<string, string>): void {
  if (!members.has('degraded')) return;
  throw new CommandError('PostgreSQL is unavailable: an export could lack what is there', EXIT.unavailable);
}

function batchesOf(outlines: readonly Outline[]): readonly (readonly Outline[])[] {
  const batches: Outline[][] = [];
  let sizeBytes = 0;
  for (const outline of outlines) {
    const last = batches.at(-1);
    const fits = last && last.length < MAX_ATTACHMENTS_PER_BATCH && sizeBytes + outline.bytes <= MAX_BATCH_BYTES;
    if (fits) last.push(outline);
    else batches.push([outline]);
    sizeBytes = fits ? sizeBytes + outline.bytes : outline.bytes;
  }
  return batches;
}
