export abstract class IdSource {
  /** A UUID that no other call, in any replica, will return. */
  abstract op(): string;
  /** Nine random base-36 characters. */
  abstract suffix(): string;
  /** A random integer from 0 to `exclusiveMax` - 1. */
  abstract randomInt(exclusiveMax: number): number;
}
