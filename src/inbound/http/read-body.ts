import type { Readable } from 'node:stream';

/** Why a body is not read to its end. */
export class BodyError extends Error {
  constructor(readonly problem: 'too large' | 'broken off' | 'no room') {
    super(problem);
  }
}

export interface BodyBounds {
  readonly maxBytes: number;
  /** Is asked for every part that comes in, before it is kept. */
  readonly hasRoom: (bytes: number) => boolean;
}

/**
 * Reads a body of at most `maxBytes`. If it is larger, or if there is no room for it, the rest is received without
 * being kept, because a client that is still sending might not read why it is refused. An error that comes after the
 * reply is that of a client that hangs up.
 */
export function readBody(
  body: Readable,
  announcedBytes: number,
  { maxBytes, hasRoom }: BodyBounds,
  done: (error: BodyError | null, bytes?: Buffer) => void,
): void {
  let chunks: Buffer[] | undefined = [];
  let receivedBytes = 0;
  const refuse = (problem: BodyError['problem']) => {
    if (!chunks) return;
    chunks = undefined;
    done(new BodyError(problem));
  };
  body.on('data', (chunk: Buffer) => {
    if (!chunks) return;
    receivedBytes += chunk.length;
    if (receivedBytes > maxBytes) refuse('too large');
    else if (!hasRoom(chunk.length)) refuse('no room');
    else chunks.push(chunk);
  });
  body.on('end', () => chunks && done(null, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, receivedBytes)));
  body.on('error', () => refuse('broken off'));
  if (announcedBytes > maxBytes) refuse('too large');
}
