import type { TraceContext } from './trace-context';

/** On whose behalf a use case runs. A task of another organisation does not exist for the caller. */
export interface Caller {
  readonly organization: string;
  /** Goes into `createdBy`, `updatedBy`, `deletedBy` and `cancelledBy`. */
  readonly name: string;
  /** Tells callers of the same name apart: the id of the credential. Undefined while authentication is off. */
  readonly credentialId?: string;
  /** Of the call. Undefined unless traces are recorded. */
  readonly trace?: TraceContext;
}
