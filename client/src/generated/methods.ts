// Generated from the description of the service: `npm run docs:api` writes this file.

export type CreateAttachmentParams = {
  /** The id of a task. */
  readonly taskId: string;
  /** The name of the attachment within its task. */
  readonly key: string;
  /** In bytes, of what the url points to. */
  readonly size?: number | null;
  /** After this time no answer shows the attachment. */
  readonly ttlSeconds?: number | null;
  /** True: write only if there is no attachment under the key. */
  readonly ifAbsent?: boolean | null;
  /** Write only over this version. */
  readonly ifVersion?: number | null;
} & (
  | {
      readonly type: 'json';
      readonly content?: null;
      readonly url?: null;
      readonly value: unknown;
      readonly mimeType?: string | null;
    }
  | {
      readonly type: 'markdown';
      readonly content: string;
      readonly url?: null;
      readonly value?: never;
      readonly mimeType?: string | null;
    }
  | {
      readonly type: 'text';
      readonly content: string;
      readonly url?: null;
      readonly value?: never;
      readonly mimeType?: string | null;
    }
  | {
      readonly type: 'url';
      readonly content?: null;
      readonly url: string;
      readonly value?: never;
      readonly mimeType?: string | null;
    }
  | {
      readonly type: 'binary';
      readonly content?: null;
      readonly url?: string | null;
      readonly value?: never;
      readonly mimeType: string;
    }
);

export interface WrittenAttachment {
  readonly id: string;
  /** The id of a task. */
  readonly taskId: string;
  /** The name of the attachment within its task. */
  readonly key: string;
  readonly type: 'json' | 'markdown' | 'text' | 'url' | 'binary';
  /** Of the first write under this key. */
  readonly createdAt: string;
  /** Rises with every change of the key. */
  readonly version: number;
  /** Whether there was an attachment under this key. */
  readonly replaced: boolean;
  /** Present if PostgreSQL should have been asked and could not be. */
  readonly degraded?: true;
}

export interface AttachmentRefParams {
  /** The id of a task. */
  readonly taskId: string;
  /** The name of the attachment within its task. */
  readonly key: string;
}

export interface FoundAttachment {
  readonly id: string;
  /** The id of a task. */
  readonly taskId: string;
  /** The name of the attachment within its task. */
  readonly key: string;
  readonly type: 'json' | 'markdown' | 'text' | 'url' | 'binary';
  readonly createdBy: string;
  /** Of the first write under this key. */
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Rises with every change of the key. */
  readonly version: number;
  /** Of type json: exactly as it was sent. */
  readonly value?: unknown;
  /** Of type markdown or text. */
  readonly content?: string;
  /** Of type url, and perhaps of type binary. */
  readonly url?: string;
  /** In bytes, of what the url points to. */
  readonly size?: number;
  /** A media type without parameters. */
  readonly mimeType?: string;
  /** Present if the attachment was written with a TTL. */
  readonly expiresAt?: string;
  /** Present if PostgreSQL should have been asked and could not be. */
  readonly degraded?: true;
}

export interface ListAttachmentsParams {
  /** The id of a task. */
  readonly taskId: string;
  /** Only attachments of this type. */
  readonly type?: 'json' | 'markdown' | 'text' | 'url' | 'binary' | null;
  /** Only keys that begin with it. Default: `""`. */
  readonly keyPrefix?: string | null;
  /** False: `bytes` instead of `value` and `content`. Default: `true`. */
  readonly includeBodies?: boolean | null;
  /** The most attachments to return. Default: `50`. */
  readonly limit?: number | null;
  /** How many attachments to skip. Default: `0`. */
  readonly offset?: number | null;
  /** By `createdAt`, then by the UTF-8 bytes of `key`. Default: `"asc"`. */
  readonly order?: 'asc' | 'desc' | null;
}

export interface Attachment {
  readonly id: string;
  /** The id of a task. */
  readonly taskId: string;
  /** The name of the attachment within its task. */
  readonly key: string;
  readonly type: 'json' | 'markdown' | 'text' | 'url' | 'binary';
  readonly createdBy: string;
  /** Of the first write under this key. */
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Rises with every change of the key. */
  readonly version: number;
  /** Of type json: exactly as it was sent. */
  readonly value?: unknown;
  /** Of type markdown or text. */
  readonly content?: string;
  /** Of type url, and perhaps of type binary. */
  readonly url?: string;
  /** In bytes, of what the url points to. */
  readonly size?: number;
  /** A media type without parameters. */
  readonly mimeType?: string;
  /** Present if the attachment was written with a TTL. */
  readonly expiresAt?: string;
  /** In a list without bodies: the UTF-8 length of the JSON text of `value`, or of `content`. */
  readonly bytes?: number;
}

export interface AttachmentPage {
  readonly attachments: readonly Attachment[];
  /** Of all attachments that match the filters. */
  readonly totalCount: number;
  readonly hasMore: boolean;
  /** Present if PostgreSQL should have been asked and could not be. */
  readonly degraded?: true;
}

export interface GetAttachmentsBatchParams {
  /** The attachments to return. */
  readonly requests: readonly AttachmentRefParams[];
  /** True: null in place of an attachment that is missing. Default: `false`. */
  readonly allowMissing?: boolean | null;
}

export interface AttachmentBatch {
  /** In the order of the requests. Null, with `allowMissing`, in place of one that is missing. */
  readonly attachments: readonly (Attachment | null)[];
  /** Present if PostgreSQL should have been asked and could not be. */
  readonly degraded?: true;
}

export interface DeleteAttachmentParams {
  /** The id of a task. */
  readonly taskId: string;
  /** The name of the attachment within its task. */
  readonly key: string;
  /** Delete only this version. */
  readonly ifVersion?: number | null;
}

export interface DeletedAttachment {
  readonly id: string;
  /** The id of a task. */
  readonly taskId: string;
  /** The name of the attachment within its task. */
  readonly key: string;
  readonly deleted: true;
  readonly deletedAt: string;
  /** Present if PostgreSQL should have been asked and could not be. */
  readonly degraded?: true;
}

export interface CreateTaskParams {
  /** An id that was never used. With it, the call is safe to repeat. */
  readonly id?: string | null;
  /** The same as `id`. */
  readonly taskId?: string | null;
  /** What is to be done. */
  readonly text: string;
  /** The higher the priority, the sooner. 50 if it is left out. */
  readonly priority?: number | null;
  /** Data of the caller, at most 65536 bytes of JSON text. Its retired `data` has at most 100 members. */
  readonly metadata?: Readonly<Record<string, unknown>> | null;
  /** The task of which this is a sub-task. */
  readonly parentId?: string | null;
  /** After this time the task is deleted, with all that belongs to it. */
  readonly ttlSeconds?: number | null;
}

export interface CreatedTask {
  /** The id of a task. */
  readonly id: string;
  /** What is to be done. */
  readonly text: string;
  readonly status: 'pending' | 'in_progress' | 'completed' | 'failed' | 'cancelled';
  /** The higher the priority, the sooner. */
  readonly priority: number;
  /** Data of the caller, at most 65536 bytes of JSON text. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Null if the task has no parent. */
  readonly parentId: string | null;
  readonly createdAt: string;
  /** When the task is deleted, with all that belongs to it. Absent without `ttlSeconds`. */
  readonly expiresAt?: string;
  /** Of retired parameters. */
  readonly warnings?: readonly string[];
  /** Present if an earlier call has created the task. */
  readonly replayed?: true;
}

export type TaskIdParams =
  | {
      readonly id: string;
      readonly taskId?: string | null;
    }
  | {
      readonly id?: string | null;
      readonly taskId: string;
    };

export interface Task {
  /** The id of a task. */
  readonly id: string;
  /** What is to be done. */
  readonly text: string;
  readonly status: 'pending' | 'in_progress' | 'completed' | 'failed' | 'cancelled';
  /** The higher the priority, the sooner. */
  readonly priority: number;
  /** Data of the caller, at most 65536 bytes of JSON text. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Null if the task has no parent. */
  readonly parentId: string | null;
  readonly createdAt: string;
  readonly organization: string;
  readonly createdBy: string;
  readonly updatedAt: string;
  /** Of the attachments that have not expired. */
  readonly attachmentCount: number;
  readonly updatedBy?: string;
  /** The `workerId` of `task.complete`. */
  readonly assignedTo?: string;
  /** Of a completed or failed task. */
  readonly completedAt?: string;
  readonly completedBy?: string;
  /** Any JSON value: why a failed task failed. */
  readonly error?: unknown;
  readonly cancelledAt?: string;
  readonly cancelledBy?: string;
  /** When the task is deleted, with all that belongs to it. Absent without `ttlSeconds`. */
  readonly expiresAt?: string;
}

export interface TaskUpdatesParams {
  /** What is to be done. */
  readonly text?: string | null;
  /** Of a finished task it cannot be changed. */
  readonly status?: 'pending' | 'in_progress' | 'completed' | 'failed' | 'cancelled' | null;
  /** The higher the priority, the sooner. */
  readonly priority?: number | null;
  /** Is merged into what is stored, member by member; a member that is null is removed. */
  readonly metadata?: Readonly<Record<string, unknown>> | null;
}

export type UpdateTaskParams = {
  /** At least one member. */
  readonly updates: TaskUpdatesParams;
} & (
  | {
      readonly id: string;
      readonly taskId?: string | null;
    }
  | {
      readonly id?: string | null;
      readonly taskId: string;
    }
);

export interface UpdatedTask {
  /** The id of a task. */
  readonly id: string;
  /** What is to be done. */
  readonly text: string;
  readonly status: 'pending' | 'in_progress' | 'completed' | 'failed' | 'cancelled';
  /** The higher the priority, the sooner. */
  readonly priority: number;
  /** Data of the caller, at most 65536 bytes of JSON text. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export type CompleteTaskParams = {
  /** The worker that has done it. If it is left out: the name of the caller. */
  readonly workerId?: string | null;
  /** Is stored as the json attachment `result`. At most MAX_ATTACHMENT_BYTES of JSON text. Null counts as left out. */
  readonly result?: unknown;
  /** Makes the task `failed`. At most 65536 bytes of JSON text. Null is no error. */
  readonly error?: unknown;
} & (
  | {
      readonly id: string;
      readonly taskId?: string | null;
    }
  | {
      readonly id?: string | null;
      readonly taskId: string;
    }
);

export interface CompletedTask {
  /** The id of a task. */
  readonly id: string;
  readonly status: 'completed' | 'failed';
  readonly completedAt: string;
}

export interface CancelledTask {
  /** The id of a task. */
  readonly id: string;
  readonly status: 'cancelled' | 'completed' | 'failed';
  /** Absent if the task had completed or failed before. */
  readonly cancelledAt?: string;
}

export interface ListTasksParams {
  /** One, or several of which any will do. */
  readonly status?:
    | 'pending'
    | 'in_progress'
    | 'completed'
    | 'failed'
    | 'cancelled'
    | readonly ('pending' | 'in_progress' | 'completed' | 'failed' | 'cancelled')[]
    | null;
  /** Only tasks of this worker. */
  readonly assignedTo?: string | null;
  /** Only tasks of exactly this priority. */
  readonly priority?: number | null;
  /** Only sub-tasks of this task; null: only tasks without a parent. */
  readonly parentId?: string | null;
  /** The most tasks to return. Default: `100`. */
  readonly limit?: number | null;
  /** How many tasks to skip. Default: `0`. */
  readonly offset?: number | null;
  /** Ties are ordered by id. Default: `"createdAt"`. */
  readonly orderBy?: 'createdAt' | 'updatedAt' | 'priority' | null;
  /** With `orderBy: "priority"`, `desc` begins with the most urgent. Default: `"asc"`. */
  readonly order?: 'asc' | 'desc' | null;
}

export interface TaskPage {
  readonly tasks: readonly Task[];
  /** Of all tasks that match the filters. */
  readonly totalCount: number;
  readonly hasMore: boolean;
}

export type UsageParams = Readonly<Record<string, never>>;

export interface UsageLimits {
  /** Absent if there is no limit. */
  readonly attachments?: number;
  /** Absent if there is no limit. */
  readonly bytes?: number;
}

export interface Usage {
  readonly tasks: number;
  /** Those that have not expired. */
  readonly attachments: number;
  /** Of their values and contents, in UTF-8. */
  readonly bytes: number;
  readonly limits: UsageLimits;
}

export interface DeletedTask {
  /** The id of a task. */
  readonly id: string;
  readonly deleted: true;
  readonly deletedAt: string;
}

/** The params and the result of each method. */
export interface Methods {
  /**
   * Writes an attachment of a task, or overwrites it. Keeps data that belongs to a task: a JSON value, a text, a link,
   * or what is known of a file that is kept elsewhere. An overwrite replaces everything except `id`, `createdBy` and
   * `createdAt`. Each `type` needs its own member, and a member that the type does not take is refused. A task holds at
   * most 10000 attachments.
   */
  'task.create_attachment': { readonly params: CreateAttachmentParams; readonly result: WrittenAttachment };
  /** Returns one attachment. Usually from the cache. Members that do not apply to the type are absent, not null. */
  'task.get_attachment': { readonly params: AttachmentRefParams; readonly result: FoundAttachment };
  /**
   * Lists the attachments of a task, page by page. The list is complete, whatever part of the cache is missing. If
   * neither the cache nor PostgreSQL can answer, it is empty and has `degraded: true`.
   */
  'task.list_attachments': { readonly params: ListAttachmentsParams; readonly result: AttachmentPage };
  /**
   * Returns several attachments, of one task or of several. If one of them is missing, the whole call fails, unless
   * `allowMissing` is true. Equal requests are read once.
   */
  'task.get_attachments_batch': { readonly params: GetAttachmentsBatchParams; readonly result: AttachmentBatch };
  /**
   * Deletes an attachment. Once the call has succeeded, the attachment stays deleted, whatever fails. A second call
   * does not find it.
   */
  'task.delete_attachment': { readonly params: DeleteAttachmentParams; readonly result: DeletedAttachment };
  /**
   * Creates a task. The task is `pending`. Give an `id` if you want to be able to repeat the call: then the same call
   * returns what it returned the first time, with `replayed: true`. The id of a deleted task is never free again.
   * `metadata.data` is retired: its members become json attachments.
   */
  'task.create': { readonly params: CreateTaskParams; readonly result: CreatedTask };
  /**
   * Returns one task, with the number of its attachments. Members that do not apply are absent; only `parentId` is null
   * if the task has no parent.
   */
  'task.get': { readonly params: TaskIdParams; readonly result: Task };
  /**
   * Changes members of a task. Members that are left out stay as they are. `pending` and `in_progress` may change to
   * any status; `completed`, `failed` and `cancelled` are final. Other members of a finished task may still be changed.
   */
  'task.update': { readonly params: UpdateTaskParams; readonly result: UpdatedTask };
  /**
   * Finishes a task, with its result or its error. The `result` is stored as the json attachment `result`, in the same
   * transaction. An `error` makes the task `failed`. A repeated call of the same worker with the same result or error
   * returns what the first one returned.
   */
  'task.complete': { readonly params: CompleteTaskParams; readonly result: CompletedTask };
  /** Cancels a task. A task that is finished already is returned as it is. */
  'task.cancel': { readonly params: TaskIdParams; readonly result: CancelledTask };
  /**
   * Lists tasks, page by page. All filters must match. The service does not hand out tasks: let one dispatcher do that.
   */
  'task.list': { readonly params: ListTasksParams; readonly result: TaskPage };
  /**
   * Returns how much the organisation of the caller has stored, and how much it may. Counted at the time of the call.
   * Of an organisation with so much data that this takes more than half a second, the last count is returned for twenty
   * times as long as it took.
   */
  'task.usage': { readonly params: UsageParams; readonly result: Usage };
  /**
   * Deletes a task with its sub-tasks and all their attachments. A task in progress is cancelled first. A large tree is
   * deleted in steps; if the time of the call is not enough, the call fails with `TIMEOUT`, and the deletion is
   * continued in the background.
   */
  'task.delete': { readonly params: TaskIdParams; readonly result: DeletedTask };
}

/** `idempotent`: a second call with the same params has no further effect. */
export const METHODS = {
  'task.create_attachment': { readOnly: false, idempotent: true },
  'task.get_attachment': { readOnly: true, idempotent: true },
  'task.list_attachments': { readOnly: true, idempotent: true },
  'task.get_attachments_batch': { readOnly: true, idempotent: true },
  'task.delete_attachment': { readOnly: false, idempotent: true },
  'task.create': { readOnly: false, idempotent: false },
  'task.get': { readOnly: true, idempotent: true },
  'task.update': { readOnly: false, idempotent: true },
  'task.complete': { readOnly: false, idempotent: true },
  'task.cancel': { readOnly: false, idempotent: true },
  'task.list': { readOnly: true, idempotent: true },
  'task.usage': { readOnly: true, idempotent: true },
  'task.delete': { readOnly: false, idempotent: true },
} as const;
