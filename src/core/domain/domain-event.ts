import type { Attachment, AttachmentRef, ExpiredAttachment } from './attachment';
import type { Caller } from './caller';
import { isoTime } from './iso-time';
import type { Task } from './task';
import type { TraceContext } from './trace-context';
import { expiryStamp, type WriteStamp } from './version';

export const DOMAIN_EVENT_TYPES = [
  'task.attachment_created',
  'task.attachment.deleted',
  'task.attachment.expired',
  'task.created',
  'task.updated',
  'task.completed',
  'task.cancelled',
  'task.deleted',
] as const;
export type DomainEventType = (typeof DOMAIN_EVENT_TYPES)[number];

/** What is announced of a change; `metadata.eventId` is the op of the change. */
export interface DomainEvent {
  readonly type: DomainEventType;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>> & { readonly eventId: string };
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  /** Of the call that made the change. It is no part of what is announced: the store keeps it beside the event. */
  readonly trace?: TraceContext;
}

/**
 * With the id of the credential that has caused it: two callers may have the same name. And with the trace of the call.
 */
export function causedBy(
  event: DomainEvent,
  { credentialId, trace }: Pick<Caller, 'credentialId' | 'trace'>,
): DomainEvent {
  const caused = credentialId === undefined ? event : { ...event, metadata: { credentialId, ...event.metadata } };
  return trace ? { trace, ...caused } : caused;
}

/** As if the key were new: if the store finds an older attachment there, it corrects the event with `ofStored`. */
export function attachmentCreated(attachment: Attachment, instanceId: string): DomainEvent {
  const { taskId, key, type, id, op, version, updatedAtMs } = attachment;
  return {
    type: 'task.attachment_created',
    payload: { taskId, key, type, attachmentId: id, instanceId, timestamp: updatedAtMs },
    metadata: { eventId: op, version, replaced: false },
    timestamp: updatedAtMs,
  };
}

/** Without the attachment's id, which only the store knows: the store adds it with `ofStored`. */
export function attachmentDeleted(ref: AttachmentRef, stamp: WriteStamp, by: string, nowMs: number): DomainEvent {
  return {
    type: 'task.attachment.deleted',
    payload: { taskId: ref.taskId, key: ref.key },
    metadata: { deletedBy: by, deletedAt: isoTime(nowMs), eventId: stamp.op, version: stamp.version },
    timestamp: nowMs,
  };
}

/** Its time is that of the expiry, not the time at which the expiry was noticed. */
export function attachmentExpired(expired: ExpiredAttachment): DomainEvent {
  const { taskId, key, id, expiresAtMs } = expired;
  const { version, op } = expiryStamp(expired);
  return {
    type: 'task.attachment.expired',
    payload: { taskId, key, attachmentId: id },
    metadata: { expiredAt: isoTime(expiresAtMs), eventId: op, version },
    timestamp: expiresAtMs,
  };
}

/** The event of a write that found the live attachment `attachmentId` under its key. */
export function ofStored(event: DomainEvent, attachmentId: string): DomainEvent {
  const metadata = 'replaced' in event.metadata ? { ...event.metadata, replaced: true } : event.metadata;
  return { ...event, payload: { ...event.payload, attachmentId }, metadata };
}

export function taskCreated(task: Task, eventId: string): DomainEvent {
  return {
    type: 'task.created',
    payload: summary(task),
    metadata: { createdBy: task.createdBy, eventId },
    timestamp: task.createdAtMs,
  };
}

/** `changes` names the members that the caller set. */
export function taskUpdated(task: Task, changes: readonly string[], eventId: string): DomainEvent {
  return {
    type: 'task.updated',
    payload: { ...summary(task), updatedAt: isoTime(task.updatedAtMs) },
    metadata: { updatedBy: task.updatedBy, changes, eventId },
    timestamp: task.updatedAtMs,
  };
}

/** `duration` in ms, from the task's creation. */
export function taskCompleted(task: Task, eventId: string): DomainEvent {
  return {
    type: 'task.completed',
    payload: { id: task.id, status: task.status, duration: task.updatedAtMs - task.createdAtMs },
    metadata: { completedBy: task.completedBy, eventId },
    timestamp: task.updatedAtMs,
  };
}

export function taskCancelled(taskId: string, by: string, nowMs: number, eventId: string): DomainEvent {
  return {
    type: 'task.cancelled',
    payload: { id: taskId, cancelledAt: isoTime(nowMs) },
    metadata: { cancelledBy: by, eventId },
    timestamp: nowMs,
  };
}

export function taskDeleted(
  taskId: string,
  change: { by: string; nowMs: number; instanceId: string; eventId: string },
): DomainEvent {
  return {
    type: 'task.deleted',
    payload: { id: taskId, deletedAt: isoTime(change.nowMs), deletedBy: change.by },
    metadata: { instanceId: change.instanceId, eventId: change.eventId },
    timestamp: change.nowMs,
  };
}

function summary(task: Task): Record<string, unknown> {
  const { id, parentId, text, status, priority, createdAtMs } = task;
  return { id, parentId, text, status, priority, createdAt: isoTime(createdAtMs) };
}
