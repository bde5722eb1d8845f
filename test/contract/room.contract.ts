import type { Room } from '../../src/core/ports/room';
import { CountingRoom, NoRoom } from '../support/counting-room';

/** How an adapter reads bodies, or what else grows with them. */
export interface RoomyRead {
  readonly name: string;
  /** Reads what has `bytes` bytes and some more, and returns how much of it was returned; 0 for a size alone. */
  readonly read: (room: Room | undefined) => Promise<number>;
  /** At least this much is returned if there is room. */
  readonly bytes: number;
  /** Whether the adapter guesses, because it cannot know the size before it has asked. */
  readonly guesses: boolean;
}

/** What an adapter promises of `Room`, for each way in which it reads. */
export function describeRoom(name: string, open: () => Promise<readonly RoomyRead[]>, reads: readonly string[]): void {
  describe(`room for what is read: ${name}`, () => {
    let opened: readonly RoomyRead[];
    beforeAll(async () => {
      opened = await open();
      expect(opened.map((one) => one.name)).toEqual(reads);
    });
    const readOf = (which: string) => opened.find((one) => one.name === which) as RoomyRead;

    it.each(reads)('%s takes at least the bytes that it returns', async (which) => {
      const { read, bytes } = readOf(which);
      const room = new CountingRoom(10);
      expect(await read(room)).toBeGreaterThanOrEqual(bytes);
      expect(room.takenBytes).toBeGreaterThanOrEqual(bytes);
    });

    it.each(reads)('%s fails with what the room throws, if there is none', async (which) => {
      const { read, bytes } = readOf(which);
      await expect(read(new CountingRoom(10, bytes - 1))).rejects.toThrow(NoRoom);
    });

    it.each(reads)('%s asks once more than it guesses, and only if it has guessed too little', async (which) => {
      const { read, guesses } = readOf(which);
      const [little, enough] = [new CountingRoom(10), new CountingRoom(10_000_000)];
      await read(little);
      await read(enough);
      expect([little.questions, enough.questions]).toEqual([1, guesses ? 0 : 1]);
    });

    it.each(reads)('%s needs no room', async (which) => {
      const { read, bytes } = readOf(which);
      expect(await read(undefined)).toBeGreaterThanOrEqual(bytes);
    });
  });
}
