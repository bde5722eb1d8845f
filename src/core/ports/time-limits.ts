/** One operation, from its start to the last store asked. The calls of one batch wait for each other. */
export const OPERATION_TIMEOUT_MS = 5000;
/** One call of the cache: a silent cache must leave the larger part of an operation's time to the store. */
export const CACHE_TIMEOUT_MS = 1000;
