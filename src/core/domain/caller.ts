/** On whose behalf a use case runs. A task of another organisation does not exist for the caller. */
export interface Caller {
  readonly organization: string;
  /** Goes into `createdBy`, `updatedBy`, `deletedBy` and `cancelledBy`. */
  readonly name: string;
}
