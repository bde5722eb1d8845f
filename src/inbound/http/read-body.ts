import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';

/** To receive a part costs as much as so many bytes, however small it is: a sender may choose parts of one byte. */
const MIN_PART_BYTES = 256;
/** So many small parts are free. */
const FREE_PARTS = 256;
/** What comes in before a connection needs a turn to receive more, with all that frames the parts. */
const PER_TURN = { bytes: 16 * 1024, parts: 64 };
/** Smaller parts are copied together: each would keep objects that are larger than itself. */
const COPIED_BELOW_BYTES = 4096;
const PAGE_BYTES = 8192;
/** Of a body that no endpoint reads. */
export const MAX_UNREAD_BYTES = 64 * 1024;

/** Why a body is not read to its end. */
export class BodyError extends Error {
  constructor(readonly problem: 'too large' | 'in pieces' | 'broken off' | 'no room') {
    super(problem);
  }
}

export interface BodyBounds {
  readonly maxBytes: number;
  /** Is asked for every part that comes in, before it is kept. */
  readonly hasRoom: (bytes: number) => boolean;
  /** Is asked when many small parts have come in at once; until it resolves, no more are received. */
  readonly mayGoOn: (smallParts: number) => Promise<boolean>;
  readonly turn: Turn;
}

/** Is asked when much has come in; until it resolves, no more is received. Undefined if nothing has to wait. */
export type Turn = () => Promise<void> | undefined;

/**
 * Reads a body of at most `maxBytes`. If it is larger, or if there is no room for it, the rest is received without
 * being kept, because a client that is still sending might not read why it is refused; the caller ends that. An error
 * that comes after the reply is that of a client that hangs up.
 */
export function readBody(
  body: Readable,
  announcedBytes: number,
  { maxBytes, hasRoom, mayGoOn, turn }: BodyBounds,
  done: (error: BodyError | null, bytes?: Buffer) => void,
): void {
  let parts: Parts | undefined = new Parts();
  let refusal: BodyError | undefined;
  const cost = new PartCost(maxBytes);
  const refuse = (problem: BodyError['problem']) => {
    if (!parts) return;
    parts = undefined;
    done((refusal = new BodyError(problem)));
  };
  const pace = new Pace(body, turn, async (smallParts) => {
    // The connection of such a sender ends soon, unless it has sent all.
    if (refusal?.problem === 'in pieces') return body.readableEnded;
    const isAllowed = await mayGoOn(smallParts);
    if (!isAllowed && refusal) body.destroy();
    if (!isAllowed) refuse('no room');
    return true;
  });
  body.on('data', (part: Buffer) => {
    pace.note(part);
    if (!cost.allows(part)) {
      // A sender that was refused for something else, and goes on in small parts, wants to read nothing.
      if (refusal && refusal.problem !== 'in pieces') body.destroy();
      refuse('in pieces');
    }
    if (!parts) return;
    if (parts.bytes + part.length > maxBytes) refuse('too large');
    else if (!hasRoom(part.length)) refuse('no room');
    else parts.add(part);
  });
  body.on('end', () => {
    const whole = parts;
    parts = undefined;
    if (whole) done(null, whole.together());
  });
  body.on('error', () => refuse('broken off'));
  if (announcedBytes > maxBytes) refuse('too large');
}

/** Receives what no endpoint reads, and ends the connection of a sender that goes on for too long. */
export function dropBody(body: Readable, maxBytes: number, turn: Turn = () => undefined): void {
  let receivedBytes = 0;
  const cost = new PartCost(0);
  const pace = new Pace(body, turn, () => Promise.resolve(true));
  body.on('data', (part: Buffer) => {
    pace.note(part);
    receivedBytes += part.length;
    if (receivedBytes > maxBytes || !cost.allows(part)) body.destroy();
  });
  // Its sender learns nothing more.
  body.on('error', () => undefined);
}

/** Bounds the number of small parts of a body of at most `maxBytes`. */
class PartCost {
  private leftBytes: number;

  constructor(maxBytes: number) {
    this.leftBytes = maxBytes + FREE_PARTS * MIN_PART_BYTES;
  }

  /** Large parts are not counted: they have a bound of their own. */
  allows({ length }: Buffer): boolean {
    if (length < MIN_PART_BYTES) this.leftBytes -= MIN_PART_BYTES;
    return this.leftBytes >= 0;
  }
}

/**
 * Receives no more of a body while there is something to wait for. The operating system hands over a few ten thousand
 * bytes at a time: the parts in them come in one iteration of the event loop. The connection also waits if the body is
 * complete: its next request may bring another one.
 */
class Pace {
  private smallParts = 0;
  private parts = 0;
  private bytes = 0;
  private readBytes: number;
  private isPaused = false;

  constructor(
    private readonly body: Readable & { readonly socket?: Socket },
    private readonly turn: Turn,
    /** For many small parts: whether to receive more afterwards. */
    private readonly mayGoOn: (smallParts: number) => Promise<boolean>,
  ) {
    this.readBytes = body.socket?.bytesRead ?? 0;
  }

  note({ length }: Buffer): void {
    this.parts += 1;
    this.bytes += length;
    if (length < MIN_PART_BYTES) this.smallParts += 1;
    if (this.isPaused) return;
    const turn = this.needsTurn ? this.nextTurn() : undefined;
    if (turn || this.smallParts >= FREE_PARTS) this.pause(turn);
  }

  private get needsTurn(): boolean {
    const framedBytes = (this.body.socket?.bytesRead ?? 0) - this.readBytes;
    return this.parts >= PER_TURN.parts || Math.max(this.bytes, framedBytes) >= PER_TURN.bytes;
  }

  private nextTurn(): Promise<void> | undefined {
    this.parts = 0;
    this.bytes = 0;
    this.readBytes = this.body.socket?.bytesRead ?? 0;
    return this.turn();
  }

  private pause(turn: Promise<void> | undefined): void {
    this.isPaused = true;
    // Otherwise the body would resume the connection behind each part that comes in.
    this.body._read = () => undefined;
    // Behind a resumption that the first part has brought about: that one takes effect in the next tick.
    process.nextTick(() => this.body.socket?.pause());
    setImmediate(() => void this.goOn(turn));
  }

  private async goOn(turn: Promise<void> | undefined): Promise<void> {
    const { body, smallParts } = this;
    // The end of the body may have resumed it.
    body.socket?.pause();
    await turn;
    this.isPaused = false;
    if (smallParts >= FREE_PARTS) {
      this.smallParts = 0;
      if (!(await this.mayGoOn(smallParts))) return;
    }
    Reflect.deleteProperty(body, '_read');
    body.socket?.resume();
  }
}

class Parts {
  bytes = 0;
  private readonly kept: Buffer[] = [];
  private page?: Buffer;
  private pageBytes = 0;

  add(part: Buffer): void {
    this.bytes += part.length;
    // Nearly every body comes in one part.
    const isSmall = part.length < COPIED_BELOW_BYTES && this.kept.length > 0;
    if (isSmall) this.copy(part);
    else this.keep(part);
  }

  together(): Buffer | undefined {
    this.endPage();
    return this.kept.length === 1 ? this.kept[0] : Buffer.concat(this.kept, this.bytes);
  }

  private keep(part: Buffer): void {
    this.endPage();
    this.kept.push(part);
  }

  private copy(part: Buffer): void {
    if (this.pageBytes + part.length > PAGE_BYTES) this.endPage();
    this.page ??= Buffer.allocUnsafeSlow(PAGE_BYTES);
    this.pageBytes += part.copy(this.page, this.pageBytes);
  }

  private endPage(): void {
    if (this.page) this.kept.push(this.page.subarray(0, this.pageBytes));
    this.page = undefined;
    this.pageBytes = 0;
  }
}
