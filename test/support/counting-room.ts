import { Room } from '../../src/core/ports/room';

/** What a room throws that has too little left. */
export class NoRoom extends Error {}

/** Has some room, and notes what is taken. */
export class CountingRoom extends Room {
  takenBytes = 0;
  /** How often it was asked for more than a guess. */
  questions = 0;
  rows = 0;
  /** For what is read and not shown; undefined until it is used. */
  private notShown?: CountingRoom;

  constructor(
    private readonly guessedBytes = 0,
    private readonly leftBytes = Infinity,
    private readonly unshownLeftBytes = leftBytes,
  ) {
    super();
  }

  guess(): number {
    this.takenBytes += this.guessedBytes;
    return this.guessedBytes;
  }

  take(bytes: number): void {
    this.questions += 1;
    if (this.takenBytes + bytes > this.leftBytes) throw new NoRoom();
    this.takenBytes += bytes;
  }

  countRows(rows: number): void {
    this.rows += rows;
  }

  get unshown(): CountingRoom {
    return (this.notShown ??= new CountingRoom(this.guessedBytes, this.unshownLeftBytes));
  }
}
