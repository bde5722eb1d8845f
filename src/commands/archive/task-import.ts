import { randomUUID } from 'node:crypto';
import { refName, type Attachment } from '../../core/domain/attachment';
import type { Task } from '../../core/domain/task';
import type { ImportAttachment, ImportedAttachment } from '../../core/use-cases/upkeep/import-attachment';
import type { ImportTask, ImportedTask } from '../../core/use-cases/upkeep/import-task';
import type { ArchiveLine } from './archive-reader';
import { reasonOf, restoredAttachment, restoredTask } from './restored-line';

export interface ImportSettings {
  readonly organization?: string;
  /** The task that becomes one without a parent. */
  readonly withoutParent?: string;
  readonly maxAttachmentBytes: number;
}

/** What has come of the lines. */
export interface ImportCounts {
  readonly tasks: number;
  readonly attachments: number;
  readonly present: number;
  readonly overtaken: number;
  readonly expired: number;
  readonly refused: number;
}

const TASK_REFUSALS = {
  'id-taken': 'the id was used before, for another task or for one that is deleted',
  'parent-missing': 'its parent is not there: import that first, or say --without-parent',
} satisfies Partial<Record<ImportedTask, string>>;
const ATTACHMENT_REFUSALS = {
  'task-missing': 'its task is not there',
  'task-full': 'its task has as many attachments as it may have',
} satisfies Partial<Record<ImportedAttachment, string>>;

/** Puts the lines of an archive into the stores, one after the other. */
export class TaskImport {
  private readonly counted = { tasks: 0, attachments: 0, present: 0, overtaken: 0, expired: 0, refused: 0 };
  /** Of each task of the archive, by its id. */
  private readonly organizations = new Map<string, string>();
  /** Nothing may be attached to a task that only has the same id. */
  private readonly refusedTasks = new Set<string>();

  constructor(
    private readonly importTask: ImportTask,
    private readonly importAttachment: ImportAttachment,
    private readonly settings: ImportSettings,
    /** What could not be imported, and why. */
    private readonly onRefusal: (name: string, reason: string) => void,
  ) {}

  get counts(): ImportCounts {
    return this.counted;
  }

  /** Throws `StoreError`. */
  async take({ kind, text }: ArchiveLine): Promise<void> {
    if (kind === 'task') await this.takeTask(text);
    if (kind === 'attachment') await this.takeAttachment(text);
  }

  private async takeTask(text: string): Promise<void> {
    const task = this.readable(text, () => this.task(text));
    if (!task) return;
    const hasRefusedParent = task.parentId !== null && this.refusedTasks.has(task.parentId);
    const outcome = hasRefusedParent ? 'parent-missing' : await this.importTask.execute(task);
    if (outcome === 'imported') this.counted.tasks += 1;
    else if (outcome === 'present') this.counted.present += 1;
    else {
      this.refusedTasks.add(task.id);
      this.refuse(task.id, TASK_REFUSALS[outcome]);
    }
  }

  private task(text: string): Task {
    const { organization, withoutParent } = this.settings;
    const task = restoredTask(text, organization);
    this.organizations.set(task.id, task.organization);
    return task.id === withoutParent ? { ...task, parentId: null } : task;
  }

  private async takeAttachment(text: string): Promise<void> {
    const attachment = this.readable(text, () =>
      restoredAttachment(text, randomUUID(), this.settings.maxAttachmentBytes),
    );
    if (!attachment) return;
    const outcome = await this.outcomeOf(attachment);
    if (outcome === 'imported') this.counted.attachments += 1;
    else if (outcome === 'present' || outcome === 'overtaken' || outcome === 'expired') this.counted[outcome] += 1;
    else this.refuse(refName(attachment), ATTACHMENT_REFUSALS[outcome]);
  }

  private async outcomeOf(attachment: Attachment): Promise<ImportedAttachment> {
    const { taskId } = attachment;
    const organization = this.organizations.get(taskId);
    if (organization === undefined || this.refusedTasks.has(taskId)) return 'task-missing';
    return this.importAttachment.execute(attachment, organization);
  }

  /** Undefined if something is wrong with the line. */
  private readable<T>(text: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      const reason = reasonOf(error);
      // An archive may be from anywhere, and a terminal obeys control characters.
      this.refuse(text.slice(0, MAX_SHOWN_LENGTH).replaceAll(/\p{Cc}/gu, '?'), reason);
      return undefined;
    }
  }

  private refuse(name: string, reason: string): void {
    this.counted.refused += 1;
    this.onRefusal(name, reason);
  }
}

/** Of a line that cannot be read. */
const MAX_SHOWN_LENGTH = 80;
