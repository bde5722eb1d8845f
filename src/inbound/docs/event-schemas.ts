import type { DomainEventType } from '../../core/domain/domain-event';
import { objectOf, orNull, type JsonSchema, type ObjectSchema } from '../methods/json-schema';
import {
  ACTOR_NAME,
  ATTACHMENT_ID,
  ATTACHMENT_TYPE,
  COUNT,
  KEY,
  PRIORITY,
  TASK_ID,
  TASK_STATUS,
  TASK_TEXT,
  TIME,
  VERSION,
} from '../methods/wire-schemas';

/** One type of event. */
export interface EventDescription {
  /** Also the subject, apart from the prefix of the deployment. */
  readonly type: DomainEventType;
  readonly summary: string;
  readonly message: ObjectSchema;
}

type Members = Readonly<Record<string, JsonSchema>>;

interface Row {
  readonly title: string;
  readonly summary: string;
  readonly payload: Members;
  readonly metadata: Members;
  /** Whether a call has caused it: then its credential, if it had one, is in `metadata.credentialId`. */
  readonly byCall: boolean;
}

const EPOCH_MS: JsonSchema = { ...COUNT, description: 'In milliseconds since 1970-01-01 (UTC).' };
const ATTACHMENT = { taskId: TASK_ID, key: KEY, attachmentId: ATTACHMENT_ID };
const TASK = {
  id: TASK_ID,
  parentId: { ...orNull(TASK_ID), description: 'Null if the task has no parent.' },
  text: TASK_TEXT,
  status: TASK_STATUS,
  priority: PRIORITY,
  createdAt: TIME,
};
const MEMBERS_OF_UPDATES = ['text', 'status', 'priority', 'metadata'];

/** Exhaustive: a type without a row does not compile. */
const ROWS: Readonly<Record<DomainEventType, Row>> = {
  'task.attachment_created': {
    title: 'AttachmentCreated',
    summary: 'An attachment was created or overwritten.',
    payload: { ...ATTACHMENT, type: ATTACHMENT_TYPE, instanceId: ACTOR_NAME, timestamp: EPOCH_MS },
    metadata: { version: VERSION, replaced: { type: 'boolean' } },
    byCall: true,
  },
  'task.attachment.deleted': {
    title: 'AttachmentDeleted',
    summary: 'An attachment was deleted. Those that are deleted with their task have no event.',
    payload: ATTACHMENT,
    metadata: { deletedBy: ACTOR_NAME, deletedAt: TIME, version: VERSION },
    byCall: true,
  },
  'task.attachment.expired': {
    title: 'AttachmentExpired',
    summary: 'The time to live of an attachment has passed.',
    payload: ATTACHMENT,
    metadata: { expiredAt: TIME, version: VERSION },
    byCall: false,
  },
  'task.created': {
    title: 'TaskCreated',
    summary: 'A task was created.',
    payload: TASK,
    metadata: { createdBy: ACTOR_NAME },
    byCall: true,
  },
  'task.updated': {
    title: 'TaskUpdated',
    summary: 'Members of a task were changed.',
    payload: { ...TASK, updatedAt: TIME },
    metadata: {
      updatedBy: ACTOR_NAME,
      changes: { type: 'array', items: { type: 'string', enum: MEMBERS_OF_UPDATES }, minItems: 1 },
    },
    byCall: true,
  },
  'task.completed': {
    title: 'TaskCompleted',
    summary: 'A task was completed, or has failed.',
    payload: {
      id: TASK_ID,
      status: { type: 'string', enum: ['completed', 'failed'] },
      duration: { ...COUNT, description: 'In milliseconds, from the creation of the task.' },
    },
    metadata: { completedBy: ACTOR_NAME },
    byCall: true,
  },
  'task.cancelled': {
    title: 'TaskCancelled',
    summary: 'A task was cancelled.',
    payload: { id: TASK_ID, cancelledAt: TIME },
    metadata: { cancelledBy: ACTOR_NAME },
    byCall: true,
  },
  'task.deleted': {
    title: 'TaskDeleted',
    summary: 'A task was deleted. No event of the task follows.',
    payload: { id: TASK_ID, deletedAt: TIME, deletedBy: ACTOR_NAME },
    metadata: { instanceId: ACTOR_NAME },
    byCall: true,
  },
};

export const EVENTS: readonly EventDescription[] = Object.entries(ROWS).map(([type, row]) => describe(type, row));

function describe(type: string, { title, summary, payload, metadata, byCall }: Row): EventDescription {
  const eventId: JsonSchema = {
    type: 'string',
    format: 'uuid',
    description: 'The same if the event is published again.',
  };
  const credentialId: JsonSchema = {
    type: 'string',
    description: 'Of the credential that has caused it, if there was one.',
  };
  const message = objectOf(title, {
    type: { const: type },
    payload: objectOf(undefined, payload),
    metadata: objectOf(undefined, { eventId, ...metadata }, byCall ? { credentialId } : {}),
    timestamp: EPOCH_MS,
  });
  return { type: type as DomainEventType, summary, message };
}
