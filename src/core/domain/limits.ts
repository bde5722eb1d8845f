/** Every limit of the contract, once: the edge validates with them, and the domain guards with them. */

export const MAX_TASK_ID_LENGTH = 128;
/** In Unicode code points. */
export const MAX_KEY_LENGTH = 100;
/** In Unicode code points. */
export const MAX_TASK_TEXT_LENGTH = 500;
export const MAX_ACTOR_LENGTH = 128;
export const MAX_URL_LENGTH = 2048;
/** RFC 6838 §4.2 allows 127 characters on each side of the slash; the contract allows 127 in all. */
export const MAX_MIME_TYPE_LENGTH = 127;
/** Levels of arrays and objects in one JSON value. */
export const MAX_JSON_DEPTH = 64;
export const MAX_ATTACHMENTS_PER_TASK = 10_000;
/** The serialised value or the content of one attachment; `MAX_ATTACHMENT_BYTES` may change it. */
export const DEFAULT_MAX_ATTACHMENT_BYTES = 1024 * 1024;
/** UTF-8 length of a task's metadata, and of its error: a list may hold a thousand of them. */
export const MAX_TASK_JSON_BYTES = 64 * 1024;
/** A hundred years: enough for every use, and every date type on the way can hold it. */
export const MAX_TTL_SECONDS = 100 * 365 * 24 * 60 * 60;

export const MAX_ATTACHMENTS_PER_PAGE = 100;
export const DEFAULT_ATTACHMENTS_PER_PAGE = 50;
export const MAX_ATTACHMENTS_PER_BATCH = 100;
/** In the retired `metadata.data` of a new task: each of them becomes an attachment. */
export const MAX_RETIRED_MEMBERS = 100;
export const MAX_TASKS_PER_PAGE = 1000;
export const DEFAULT_TASKS_PER_PAGE = 100;

export const MAX_PRIORITY = 100;
export const DEFAULT_PRIORITY = 50;
