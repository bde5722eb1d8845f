import type { StoreIdentity } from './store-identity';

/**
 * The server behind all stores of one replica. It may be replaced at any time by one that lacks what was acknowledged.
 */
export abstract class StoreServer {
  /**
   * The identity of the server that is reached now. If it is another one than that of the present epoch, a new epoch
   * has begun. Throws `StoreError`: `UnfitSchemaError` if this version of the service must not use it.
   */
  abstract look(): Promise<StoreIdentity>;

  /** Ends the epoch `after`, unless it has ended already. Throws `StoreError`. */
  abstract beginEpoch(after: string): Promise<void>;

  /**
   * From now on the stores ask this run of this server only: every other one is unavailable, and a reply that another
   * one still owes is a `StoreError` `timeout`. Undefined: no server. `Outbox.changes` and the methods above may reach
   * any.
   */
  abstract use(identity: StoreIdentity | undefined): void;
}
