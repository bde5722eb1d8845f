/**
 * Which database a reply is from, and which epoch of its history: positions in the outbox mean something within one.
 */
export interface StoreIdentity {
  readonly databaseId: string;
  readonly epoch: string;
  /** The server that replied; undefined if it cannot be told from another one. */
  readonly server?: string;
  /** The run of the server, from its start to its end: with the next one it may have less than it had. */
  readonly run: string;
  /**
   * The epochs of the history of this database that have ended: a server that is still in one of them was replaced by
   * it.
   */
  readonly past: ReadonlySet<string>;
}

/** The epochs that this replica has seen end: a server that is still in one of them has been replaced. */
export type EndedEpochs = ReadonlySet<string>;
