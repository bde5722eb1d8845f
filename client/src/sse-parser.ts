/** One block of server-sent events. */
export interface SseBlock {
  /** The position to resume from. A block may have one, and no data. */
  readonly id?: string;
  readonly data?: string;
  /** When to connect again after the end. */
  readonly retryMs?: number;
}

const LINE_END = /\r\n|\n|\r/;
const BYTE_ORDER_MARK = '\uFEFF';

/** Reads a stream of `text/event-stream`, however its text is cut into pieces. */
export class SseParser {
  /** What has come of a line that has no end yet; undefined before the first piece. */
  private rest?: string;
  private block: Mutable<SseBlock> = {};

  /** The blocks that the piece completes. */
  push(piece: string): readonly SseBlock[] {
    const text = this.rest === undefined ? piece.replace(BYTE_ORDER_MARK, '') : this.rest + piece;
    // A carriage return at the end may be the first half of a line end.
    const held = text.endsWith('\r') ? text.length - 1 : text.length;
    const lines = text.slice(0, held).split(LINE_END);
    this.rest = (lines.pop() as string) + text.slice(held);
    return lines.flatMap((line) => this.read(line));
  }

  private read(line: string): readonly SseBlock[] {
    if (line === '') {
      const { block } = this;
      this.block = {};
      return Object.keys(block).length > 0 ? [block] : [];
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.block.data = this.block.data === undefined ? value : `${this.block.data}\n${value}`;
    else if (field === 'id' && !value.includes('\0')) this.block.id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.block.retryMs = Number(value);
    return [];
  }
}

type Mutable<T> = { -readonly [Member in keyof T]: T[Member] };
