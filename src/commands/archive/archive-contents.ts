import { refName, type AttachmentRef } from '../../core/domain/attachment';
import { jsonMembers } from '../../core/domain/json-text';
import type { LineKind } from './archive-format';

/** What the lines of an archive hold, each task and attachment once. */
export class ArchiveContents {
  private readonly tasks = new Set<string>();
  /** By `refName`. */
  private readonly versions = new Map<string, number>();

  get counts() {
    return { tasks: this.tasks.size, attachments: this.versions.size };
  }

  add(kind: LineKind, text: string): void {
    if (kind !== 'task' && kind !== 'attachment') return;
    const members = jsonMembers(text);
    // A line that was written by hand may lack it.
    const member = (name: string) => JSON.parse(members.get(name) ?? 'null') as string;
    if (kind === 'task') this.tasks.add(member('id'));
    else this.versions.set(refName({ taskId: member('taskId'), key: member('key') }), Number(members.get('version')));
  }

  hasTask(id: string): boolean {
    return this.tasks.has(id);
  }

  hasAttachment(ref: AttachmentRef, version: number): boolean {
    return this.versions.get(refName(ref)) === version;
  }
}
