import type { Attachment, AttachmentIdentity, AttachmentRef } from '../../core/domain/attachment';
import type { WriteStamp } from '../../core/domain/version';
import type { WriteCondition, WriteRefusal } from '../../core/ports/attachment-store';

/** What remains of a deleted attachment, to order writes that arrive late. */
export interface Tombstone extends AttachmentRef, WriteStamp {
  readonly deleted: true;
}

export function identityOf({ id, createdAtMs, createdBy }: Attachment): AttachmentIdentity {
  return { id, createdAtMs, createdBy };
}

export function isTombstone(stored: Attachment | Tombstone): stored is Tombstone {
  return 'deleted' in stored;
}

export function conditionRefusal(condition: WriteCondition, live: Attachment | undefined): WriteRefusal | undefined {
  if (!condition) return undefined;
  const holds = 'ifAbsent' in condition ? !live : live?.version === condition.ifVersion;
  return holds ? undefined : { state: 'condition-failed', currentVersion: live?.version ?? null };
}
