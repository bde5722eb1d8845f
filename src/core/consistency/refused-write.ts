import type { AttachmentRef } from '../domain/attachment';
import { DomainError, invalid } from '../domain/domain-error';
import { MAX_ATTACHMENTS_PER_TASK } from '../domain/limits';
import { taskNotFound } from '../domain/task';
import type { WriteRefusal } from '../ports/attachment-store';

/** The error for a write that the store refused for good. */
export function refusedWrite(refusal: Exclude<WriteRefusal, { state: 'superseded' }>, ref: AttachmentRef): DomainError {
  const { taskId, key } = ref;
  switch (refusal.state) {
    case 'task-missing':
      return taskNotFound(taskId);
    case 'condition-failed':
      return new DomainError({ kind: 'version-conflict', taskId, key, currentVersion: refusal.currentVersion });
    case 'task-full':
      return invalid('taskId', `task has ${MAX_ATTACHMENTS_PER_TASK} attachments, the most that a task may have`);
  }
}
