/** Everything about one replica that an operator needs to see at once. */
export abstract class ReplicaStatus {
  /**
   * An object for JSON. Changes nothing, takes at most some seconds, and never rejects: what a server does not tell in
   * time is null. Nothing in it belongs to a caller, and nothing is a secret.
   */
  abstract read(): Promise<object>;
}
