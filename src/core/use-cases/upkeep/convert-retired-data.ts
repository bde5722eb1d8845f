import type { Caller } from '../../domain/caller';
import { DomainError, type FieldError } from '../../domain/domain-error';
import { taskUpdated } from '../../domain/domain-event';
import type { JsonText } from '../../domain/json-text';
import { retiredDataErrors, retiredDataOf, withRetiredData } from '../../domain/retired-data';
import { updateTask, type Task } from '../../domain/task';
import type { Clock } from '../../ports/clock';
import type { IdSource } from '../../ports/id-source';
import type { TaskStore } from '../../ports/task-store';
import type { CoreSettings } from '../../ports/core-settings';
import type { AttachmentFactory } from '../../consistency/attachment-factory';
import type { AttachmentWriter } from '../../consistency/attachment-writer';
import { inParallel } from '../../consistency/in-parallel';
import { Overtaken, writeVersioned } from '../../consistency/write-versioned';

const BATCH_SIZE = 100;
const MAX_IN_FLIGHT = 8;

/** A task of which some members of `metadata.data` cannot be attachments, and have stayed in the metadata. */
export interface UnconvertedData {
  readonly taskId: string;
  readonly errors: readonly FieldError[];
}

export interface ConvertedBatch {
  /** The number of tasks that had a `metadata.data` and have none now. */
  readonly converted: number;
  readonly unconverted: readonly UnconvertedData[];
  /** The next batch begins behind this id; undefined after the last batch. */
  readonly lastId?: string;
}

/** What has come of one task. */
interface Conversion {
  readonly isConverted: boolean;
  readonly errors: readonly FieldError[];
}

/**
 * Moves what tasks still hold in the retired `metadata.data` into json attachments; an attachment that is already there
 * wins. The attachments are written first, so that an interruption loses nothing, and another run finishes the work.
 */
export class ConvertRetiredData {
  constructor(
    private readonly tasks: TaskStore,
    private readonly factory: AttachmentFactory,
    private readonly writer: AttachmentWriter,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly settings: CoreSettings,
  ) {}

  /** Takes the batch behind the task id `afterId`. Throws `StoreError`. */
  async execute(afterId?: string): Promise<ConvertedBatch> {
    const batch = await this.tasks.inIdOrder(afterId, BATCH_SIZE);
    let converted = 0;
    const unconverted: UnconvertedData[] = [];
    await inParallel(
      batch.filter(({ metadata }) => retiredDataOf(metadata)),
      MAX_IN_FLIGHT,
      async (task) => {
        const { isConverted, errors } = await this.convert(task);
        if (errors.length > 0) unconverted.push({ taskId: task.id, errors });
        if (isConverted) converted += 1;
      },
    );
    return { converted, unconverted, lastId: batch.length === BATCH_SIZE ? batch.at(-1)?.id : undefined };
  }

  private convert({ id, organization }: Task) {
    const caller = { organization, name: this.settings.instanceId };
    return writeVersioned<Conversion>(this.clock, this.ids, async ({ op }, nowMs, deadline) => {
      const task = (await this.tasks.get(id, organization, nowMs, deadline.leftMs()))?.task;
      const data = task && retiredDataOf(task.metadata);
      if (!data) return { isConverted: false, errors: [] };

      const { left, errors } = await this.attach(id, data, caller);
      if (left.size > 0 && left.size === data.size) return { isConverted: false, errors };
      const metadata = withRetiredData(task.metadata, left);
      const updated = { ...updateTask(task, {}, { by: caller.name, nowMs }), metadata };
      const event = taskUpdated(updated, ['metadata'], op);
      const { state } = await this.tasks.update(updated, event, undefined, deadline.leftMs());
      return state === 'updated' ? { isConverted: errors.length === 0, errors } : new Overtaken(undefined);
    });
  }

  private async attach(taskId: string, data: ReadonlyMap<string, JsonText>, caller: Caller) {
    const left = new Map<string, JsonText>();
    const errors: FieldError[] = [];
    for (const [key, value] of data) {
      const problems = await this.problemsOfAttaching(taskId, key, value, caller);
      if (problems.length > 0) left.set(key, value);
      errors.push(...problems);
    }
    return { left, errors };
  }

  private async problemsOfAttaching(
    taskId: string,
    key: string,
    value: JsonText,
    caller: Caller,
  ): Promise<readonly FieldError[]> {
    try {
      const draft = this.factory.draft({ taskId, key, type: 'json', value }, caller);
      await this.writer.put({ draft, condition: { ifAbsent: true } }, caller);
      return [];
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      // Any other refusal: the attachment is already there, or the task is gone, which its update will find out.
      return retiredDataErrors(key, error) ?? [];
    }
  }
}
