import { mayOtherSessionServe } from './admitted-server';
import { isCollision } from './postgres-error';

/** So often the server may roll a call back for the sake of another one. It takes a second to find a deadlock. */
const MAX_COLLISIONS = 1;

/** Counts why a call is begun anew. It never is, unless the last attempt took no effect. */
export class Repetitions {
  private staleSessions = 0;
  private collisions = 0;

  /** A stale session is given up: after all of `maxSessions`, a new one is the next. */
  allowAfter(error: unknown, maxSessions: number): boolean {
    if (isCollision(error)) return ++this.collisions <= MAX_COLLISIONS;
    return mayOtherSessionServe(error) && ++this.staleSessions <= maxSessions;
  }
}
