import { createHash } from 'node:crypto';
import type { Replica } from '../faults/replica-group';
import type { Environment } from '../support/service';
import type { WireAttachment, WireAttachmentPage } from '../support/wire-values';

type Body = Partial<Pick<WireAttachment, 'type' | 'value' | 'content' | 'url' | 'mimeType' | 'size'>>;

/** A task as its only writer has left it. */
export interface ExpectedTask {
  readonly id: string;
  readonly organization: string;
  status: string;
  priority: number;
  isGone: boolean;
  /** The digest of each attachment, by key. */
  readonly attachments: Map<string, string>;
}

/** What must be found of tasks that have one writer each, who repeats every call until its outcome is known. */
export class Ledger {
  private readonly tasks: ExpectedTask[] = [];

  /** The number of acknowledged tasks, deleted ones included. */
  get size(): number {
    return this.tasks.length;
  }

  add(organization: string, id: string, priority: number): ExpectedTask {
    const task = {
      id,
      organization,
      status: 'pending',
      priority,
      isGone: false,
      attachments: new Map<string, string>(),
    };
    this.tasks.push(task);
    return task;
  }

  /** In what a replica does not show the tasks from the `first` on; empty if all is well. */
  async problems(replica: Replica, keyOf: (organization: string) => Environment, first = 0): Promise<string[]> {
    const problems: string[] = [];
    for (const task of this.tasks.slice(first))
      problems.push(...(await problemsOf(task, replica, keyOf(task.organization))));
    return problems.map((problem) => `${replica.name}: ${problem}`);
  }
}

export function digestOf({ type, value, content, url, mimeType, size }: Body): string {
  const members = [type, value, content, url, mimeType, size].map((member) => JSON.stringify(member) ?? '');
  return createHash('sha256').update(members.join('\n')).digest('hex');
}

async function problemsOf(task: ExpectedTask, { service }: Replica, headers: Environment): Promise<string[]> {
  const { id } = task;
  const [{ result, error }, list] = await Promise.all([
    service.rpc('task.get', { id }, headers),
    service.rpc('task.list_attachments', { taskId: id, limit: 100 }, headers),
  ]);
  if (task.isGone) {
    const words = [error, list.error].map((one) => one?.data?.['code']);
    return words.every((word) => word === 'TASK_NOT_FOUND')
      ? []
      : [`${id} is there, though its deletion was acknowledged`];
  }
  if (!result || !list.result) return [`${id} is lost: ${JSON.stringify(error ?? list.error)}`];
  const page = list.result as unknown as WireAttachmentPage;
  if (page.degraded) return [`the list of ${id} is degraded`];
  return [...problemsOfTask(task, result), ...problemsOfAttachments(task, page.attachments)];
}

function problemsOfTask({ id, status, priority }: ExpectedTask, found: Readonly<Record<string, unknown>>): string[] {
  const isSame = found['status'] === status && found['priority'] === priority;
  return isSame ? [] : [`${id} is ${String(found['status'])} ${String(found['priority'])}, not ${status} ${priority}`];
}

function problemsOfAttachments({ id, attachments }: ExpectedTask, found: readonly WireAttachment[]): string[] {
  const lasting = found.filter(({ expiresAt }) => expiresAt === undefined);
  const expired = found.filter(({ expiresAt }) => expiresAt !== undefined && Date.parse(expiresAt) < Date.now() - 1000);
  const digests = new Map(lasting.map((attachment) => [attachment.key, digestOf(attachment)]));
  return [
    ...[...attachments].flatMap(([key, digest]) => {
      const shown = digests.get(key);
      if (shown === undefined) return [`${id}/${key} is lost`];
      return shown === digest ? [] : [`${id}/${key} is not what was acknowledged last`];
    }),
    ...[...digests.keys()]
      .filter((key) => !attachments.has(key))
      .map((key) => `${id}/${key} is there, and was deleted`),
    ...expired.map(({ key }) => `${id}/${key} has expired, and is shown`),
  ];
}
