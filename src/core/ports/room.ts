/**
 * A read that is as small as most reads asks for nothing before it: this much for one body, and for each of several.
 */
const MIN_GUESS_BYTES = 64 * 1024;
const GUESS_BYTES_PER_BODY = 8 * 1024;
const MAX_GUESS_BYTES = 1024 * 1024;

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

  /** The same room for what the call reads, but does not show: the size of the reply is no bound for it. */
  abstract get unshown(): Room;
}

/** What an outline needs, roughly, beside its url. */
export const OUTLINE_BYTES = 1024;

export function guessBytes(bodies: number): number {
  return Math.min(MAX_GUESS_BYTES, Math.max(MIN_GUESS_BYTES, bodies * GUESS_BYTES_PER_BODY));
}

/** For reads that no caller asked for. */
export const UNBOUNDED: Room = {
  guess: () => Infinity,
  take: () => undefined,
  get unshown() {
    return this;
  },
};

/**
 * Reads with the bound of a guess; if the bodies are larger, `read` returns their size instead, and is called again as
 * soon as there is room for them. They may have grown in between.
 */
export async function readWithin<T>(
  room: Room | undefined,
  bodies: number,
  read: (maxBytes: number) => Promise<T | number>,
): Promise<T> {
  const bound = room ?? UNBOUNDED;
  for (let maxBytes = bound.guess(bodies); ;) {
    const reply = await read(maxBytes);
    if (typeof reply !== 'number') return reply;
    bound.take(reply);
    maxBytes = reply;
  }
}
