/** What an outline needs, roughly, beside its url. */
export const OUTLINE_BYTES = 1024;

/** How many rows can be read in the time that it takes to check, record and cache one attachment that is written. */
export const ROWS_PER_WRITE = 8;

/**
 * How many bytes of bodies one call may read. An adapter takes the room before it reads: first a guess, so that small
 * bodies cost no question of their own, and the whole size if that turns out to be larger. What a call has taken is
 * given back when the call has ended.
 */
export abstract class Room {
  /** Takes room for as many bytes as `bodies` of the usual size have, or fewer, and returns how many. */
  abstract guess(bodies: number): number;

  /** Takes room for bodies of a known size. Throws what the caller is to be told if there is none. */
  abstract take(bytes: number): void;

  /** To be told how many tasks or attachments were read, whatever their size: each of them takes time. */
  abstract countRows(rows: number): void;

  /** The same room for what the call reads, but does not show: the size of the reply is no bound for it. */
  abstract get unshown(): Room;
}
