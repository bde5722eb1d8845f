/** A server that this one needs, as an operator sees it. */
export abstract class Dependency {
  abstract readonly name: 'postgres' | 'redis' | 'nats';
  /** Resolves while it answers; rejects, within a second, while it does not. */
  abstract ping(): Promise<void>;
}
