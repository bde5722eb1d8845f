import type { DomainEvent } from '../domain/domain-event';
import type { TraceContext } from '../domain/trace-context';
import type { StoreIdentity } from './store-identity';

/** How long published events and tombstones are kept: longer than any absence of Redis or of a reader of events. */
export const HISTORY_RETENTION_MS = 7 * 24 * 60 * 60 * 1000;

/** How many levels below a task its followers are told of. Without a limit, a long chain of tasks would be costly. */
export const FOLLOWED_LEVELS = 32;

export interface OutboxEvent {
  /** Rises, per attachment and among a task's own events, in the order of the changes. */
  readonly seq: number;
  readonly taskId: string;
  readonly event: DomainEvent;
  /** That of the event when it was recorded, if it had one. */
  readonly trace?: TraceContext;
}

/** A change that the cache must be told of. */
export type OutboxChange =
  | ({
      readonly kind: 'attachment';
      readonly key: string;
      readonly op: string;
      /** Deleted or expired. */
      readonly deleted: boolean;
    } & TaskVersion)
  | ({ readonly kind: 'task-deleted' } & TaskVersion);

interface TaskVersion {
  readonly taskId: string;
  readonly version: number;
}

export interface OutboxChanges {
  /** In the order of their positions. */
  readonly changes: readonly OutboxChange[];
  /** Every change below this position is among `changes`, or lies below the position asked for. */
  readonly to: number;
  /** Every change that was committed before this call lies below it. */
  readonly horizon: number;
  /** As of this reading: the positions above mean something in this epoch only. */
  readonly identity: StoreIdentity;
}

export interface EventQuery {
  readonly organization: string;
  /** Undefined means all tasks. */
  readonly taskId?: string;
  /** Only events of this task and of its sub-tasks, down to `FOLLOWED_LEVELS` below it. */
  readonly parentId?: string;
  /** The position of an earlier page; undefined means now, so that the page is empty. */
  readonly after?: string;
  readonly limit: number;
}

export interface EventPage {
  /** Each event with the position behind it, which is made when it is asked for. */
  readonly events: readonly { readonly event: DomainEvent; readonly position: string }[];
  /** Where the next page begins, even if this page is empty. Printable ASCII; tells nothing of other organisations. */
  readonly position: string;
  /** Whether the page has ended at a limit. */
  readonly more: boolean;
}

/**
 * The events of changes, recorded with them in one transaction. Every method but `onRecorded` and `standDown` throws
 * `StoreError`.
 */
export abstract class Outbox {
  /**
   * From now on `listener` is called when events may have been recorded: by this replica, at once; by other ones, as
   * soon as `changes` shows it. Some come without a call: `unpublished` has to be asked from time to time all the same.
   */
  abstract onRecorded(listener: () => void): void;

  /**
   * Events that wait to be published, in the order of `seq`: the oldest of each organisation, of each an equal part of
   * the limit. Of more organisations than have room, later calls return the others. Undefined while another replica
   * publishes, or if this one must not: the events of the store go to a bus that it does not have. A replica that dies,
   * or is cut off from the outbox, is replaced within five seconds.
   */
  abstract unpublished(limit: number): Promise<readonly OutboxEvent[] | undefined>;

  /** This replica no longer publishes: the next replica that asks for `unpublished` does. Never throws. */
  abstract standDown(): Promise<void>;

  /** Only for events that `unpublished` has returned. */
  abstract markPublished(events: readonly OutboxEvent[]): Promise<void>;

  /** How many events wait, and for how long the oldest has waited. */
  abstract backlog(): Promise<{ readonly count: number; readonly oldestAgeMs: number }>;

  /**
   * Events of one organisation, published or not; those of one task are in the order of the changes. A reader that
   * follows the positions misses nothing, however late a change is committed. The cost does not grow with the events of
   * other organisations. A page may be empty although more follow. Undefined if `after` is no position in this outbox.
   */
  abstract read(query: EventQuery, timeoutMs: number): Promise<EventPage | undefined>;

  /**
   * The changes from the position `from` up to where a transaction that is still under way could
   * add to them; about `limit`, if there are more. If `from` is undefined, or a position that this outbox has not
   * reached, the changes of the last `lookBackMs`. Reaches any server, and throws, as `StoreServer.look`.
   */
  abstract changes(from: number | undefined, limit: number, lookBackMs: number): Promise<OutboxChanges>;

  /** Every change that was committed before this call lies below it: see `OutboxChanges`. */
  abstract horizon(timeoutMs: number): Promise<number>;

  /**
   * Forgets the events of whole days, in UTC, that ended before `beforeMs`, unless one of the day still waits to be
   * published. Takes one step, which does not take longer the more events there are; `more` if steps are left.
   */
  abstract purge(beforeMs: number): Promise<{ readonly more: boolean }>;
}
