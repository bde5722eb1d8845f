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
/** Of one task, in the time of one call: thousands would take longer. */
const MAX_MEMBERS = 100;
/** More than metadata has members for, unless somebody goes on adding some: what is left is left to another run. */
const MAX_STEPS = 200;

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

/** `nothing`: the task has no retired data, or is gone; `done`: each of its members was tried. */
type Step = 'nothing' | 'more' | 'done';

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

  private async convert({ id, organization }: Task): Promise<Conversion> {
    const refused = new Map<string, readonly FieldError[]>();
    let step: Step = 'more';
    for (let n = 0; step === 'more' && n < MAX_STEPS; n++) step = await this.convertSome(id, organization, refused);
    const errors = [...refused.values()].flat();
    return { isConverted: step === 'done' && errors.length === 0, errors };
  }

  /** Adds to `refused` what cannot be an attachment. */
  private convertSome(id: string, organization: string, refused: Map<string, readonly FieldError[]>): Promise<Step> {
    const caller = { organization, name: this.settings.instanceId };
    return writeVersioned<Step>(this.clock, this.ids, async ({ op }, nowMs, deadline) => {
      const task = (await this.tasks.get(id, organization, nowMs, deadline.leftMs()))?.task;
      const data = task && retiredDataOf(task.metadata);
      if (!data) return 'nothing';

      const left = new Map(data);
      const next = [...data].filter(([key]) => !refused.has(key));
      for (const [key, value] of next.slice(0, MAX_MEMBERS)) {
        const problems = await this.problemsOfAttaching(id, key, value, caller);
        if (problems.length > 0) refused.set(key, problems);
        else left.delete(key);
      }
      const step = next.length > MAX_MEMBERS ? 'more' : 'done';
      if (left.size > 0 && left.size === data.size) return step;
      const metadata = withRetiredData(task.metadata, left);
      const updated = { ...updateTask(task, {}, { by: caller.name, nowMs }), metadata };
      const event = taskUpdated(updated, ['metadata'], op);
      const { state } = await this.tasks.update(updated, event, undefined, deadline.leftMs());
      return state === 'updated' ? step : new Overtaken(undefined);
    });
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
