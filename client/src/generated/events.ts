// Generated from the description of the service: `npm run docs:api` writes this file.

/** An attachment was created or overwritten. */
export interface AttachmentCreated {
  readonly type: 'task.attachment_created';
  readonly payload: {
    /** The id of a task. */
    readonly taskId: string;
    /** The name of the attachment within its task. */
    readonly key: string;
    readonly attachmentId: string;
    readonly type: 'json' | 'markdown' | 'text' | 'url' | 'binary';
    readonly instanceId: string;
    /** In milliseconds since 1970-01-01 (UTC). */
    readonly timestamp: number;
  };
  readonly metadata: {
    /** The same if the event is published again. */
    readonly eventId: string;
    /** Rises with every change of the key. */
    readonly version: number;
    readonly replaced: boolean;
    /** Of the credential that has caused it, if there was one. */
    readonly credentialId?: string;
  };
  /** In milliseconds since 1970-01-01 (UTC). */
  readonly timestamp: number;
}

/** An attachment was deleted. Those that are deleted with their task have no event. */
export interface AttachmentDeleted {
  readonly type: 'task.attachment.deleted';
  readonly payload: {
    /** The id of a task. */
    readonly taskId: string;
    /** The name of the attachment within its task. */
    readonly key: string;
    readonly attachmentId: string;
  };
  readonly metadata: {
    /** The same if the event is published again. */
    readonly eventId: string;
    readonly deletedBy: string;
    readonly deletedAt: string;
    /** Rises with every change of the key. */
    readonly version: number;
    /** Of the credential that has caused it, if there was one. */
    readonly credentialId?: string;
  };
  /** In milliseconds since 1970-01-01 (UTC). */
  readonly timestamp: number;
}

/** The time to live of an attachment has passed. */
export interface AttachmentExpired {
  readonly type: 'task.attachment.expired';
  readonly payload: {
    /** The id of a task. */
    readonly taskId: string;
    /** The name of the attachment within its task. */
    readonly key: string;
    readonly attachmentId: string;
  };
  readonly metadata: {
    /** The same if the event is published again. */
    readonly eventId: string;
    readonly expiredAt: string;
    /** Rises with every change of the key. */
    readonly version: number;
  };
  /** In milliseconds since 1970-01-01 (UTC). */
  readonly timestamp: number;
}

/** A task was created. */
export interface TaskCreated {
  readonly type: 'task.created';
  readonly payload: {
    /** The id of a task. */
    readonly id: string;
    /** Null if the task has no parent. */
    readonly parentId: string | null;
    /** What is to be done. */
    readonly text: string;
    readonly status: 'pending' | 'in_progress' | 'completed' | 'failed' | 'cancelled';
    /** The higher the priority, the sooner. */
    readonly priority: number;
    readonly createdAt: string;
  };
  readonly metadata: {
    /** The same if the event is published again. */
    readonly eventId: string;
    readonly createdBy: string;
    /** Of the credential that has caused it, if there was one. */
    readonly credentialId?: string;
  };
  /** In milliseconds since 1970-01-01 (UTC). */
  readonly timestamp: number;
}

/** Members of a task were changed. */
export interface TaskUpdated {
  readonly type: 'task.updated';
  readonly payload: {
    /** The id of a task. */
    readonly id: string;
    /** Null if the task has no parent. */
    readonly parentId: string | null;
    /** What is to be done. */
    readonly text: string;
    readonly status: 'pending' | 'in_progress' | 'completed' | 'failed' | 'cancelled';
    /** The higher the priority, the sooner. */
    readonly priority: number;
    readonly createdAt: string;
    readonly updatedAt: string;
  };
  readonly metadata: {
    /** The same if the event is published again. */
    readonly eventId: string;
    readonly updatedBy: string;
    readonly changes: readonly ('text' | 'status' | 'priority' | 'metadata')[];
    /** Of the credential that has caused it, if there was one. */
    readonly credentialId?: string;
  };
  /** In milliseconds since 1970-01-01 (UTC). */
  readonly timestamp: number;
}

/** A task was completed, or has failed. */
export interface TaskCompleted {
  readonly type: 'task.completed';
  readonly payload: {
    /** The id of a task. */
    readonly id: string;
    readonly status: 'completed' | 'failed';
    /** In milliseconds, from the creation of the task. */
    readonly duration: number;
  };
  readonly metadata: {
    /** The same if the event is published again. */
    readonly eventId: string;
    readonly completedBy: string;
    /** Of the credential that has caused it, if there was one. */
    readonly credentialId?: string;
  };
  /** In milliseconds since 1970-01-01 (UTC). */
  readonly timestamp: number;
}

/** A task was cancelled. */
export interface TaskCancelled {
  readonly type: 'task.cancelled';
  readonly payload: {
    /** The id of a task. */
    readonly id: string;
    readonly cancelledAt: string;
  };
  readonly metadata: {
    /** The same if the event is published again. */
    readonly eventId: string;
    readonly cancelledBy: string;
    /** Of the credential that has caused it, if there was one. */
    readonly credentialId?: string;
  };
  /** In milliseconds since 1970-01-01 (UTC). */
  readonly timestamp: number;
}

/** A task was deleted. No event of the task follows. */
export interface TaskDeleted {
  readonly type: 'task.deleted';
  readonly payload: {
    /** The id of a task. */
    readonly id: string;
    readonly deletedAt: string;
    readonly deletedBy: string;
  };
  readonly metadata: {
    /** The same if the event is published again. */
    readonly eventId: string;
    readonly instanceId: string;
    /** Of the credential that has caused it, if there was one. */
    readonly credentialId?: string;
  };
  /** In milliseconds since 1970-01-01 (UTC). */
  readonly timestamp: number;
}

export type DossierEvent =
  | AttachmentCreated
  | AttachmentDeleted
  | AttachmentExpired
  | TaskCreated
  | TaskUpdated
  | TaskCompleted
  | TaskCancelled
  | TaskDeleted;
