import type { Caller } from '../../core/caller';
import { MAX_ACTOR_LENGTH } from '../../core/domain/limits';

export type Transport = 'http' | 'nats';

/** Where a message came from: the same for all calls of a batch. */
export interface CallOrigin {
  readonly transport: Transport;
  readonly caller: Caller;
}

/** The second argument of every handler. */
export class CallContext implements CallOrigin {
  readonly transport: Transport;
  /** A guard that authenticates replaces it before any handler sees it. */
  caller: Caller;

  constructor(
    origin: CallOrigin,
    readonly method: string,
  ) {
    this.transport = origin.transport;
    this.caller = origin.caller;
  }
}

const DEFAULT_ORGANIZATION = 'default';
/** No control, format, private-use or unassigned characters, no unpaired surrogates. */
const PRINTABLE_NAME = new RegExp(`^\\P{C}{1,${MAX_ACTOR_LENGTH}}$`, 'u');

/** Who calls while authentication is off: the instance that the client says it is, else this replica. */
export function unauthenticatedCaller(claimedName: string | undefined, instanceId: string): Caller {
  const isUsable = claimedName !== undefined && PRINTABLE_NAME.test(claimedName);
  return { organization: DEFAULT_ORGANIZATION, name: isUsable ? claimedName : instanceId };
}
