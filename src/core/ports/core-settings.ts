/** What the operator decides and the use cases must know. A class, so that it can be its own injection token. */
export class CoreSettings {
  constructor(
    /** Names this replica in events, and as the author of changes whose caller has no name. */
    readonly instanceId: string,
    /** UTF-8 bytes of one attachment's value or content. */
    readonly maxAttachmentBytes: number,
    /** How long the cache keeps what it is not told of again. */
    readonly cacheTtlMs: number,
    /** How long a finished task is kept; 0 for ever. */
    readonly finishedRetentionMs = 0,
  ) {}
}
