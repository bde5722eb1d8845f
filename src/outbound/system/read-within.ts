import type { Room } from '../../core/ports/room';

/** For reads that no caller asked for. */
export const UNBOUNDED: Room = {
  guess: () => Infinity,
  take: () => undefined,
  countRows: () => undefined,
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
