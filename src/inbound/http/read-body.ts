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
 * Reads a body of at most `maxBytes`. If it is larger, or if there is no room for it, the rest is received without being kept, because a client that is
 * still sending might not read why it is refused.
 */
export function readBody(
  body: Readable,
  announcedBytes: number,
  { maxBytes, hasRoom }: BodyBounds,
  done: (error: BodyError | null, bytes?: Buffer) => void,
): void {
  const chunks: Buffer[] = [];
  let receivedBytes = 0;
  const settle = (error: BodyError | null, bytes?: Buffer) => {
    body.off('data', onData).off('end', onEnd).off('error', onError);
    // An error that comes after the reply is that of a client that hangs up.
    body.on('error', () => undefined).resume();
    done(error, bytes);
  };
  const onData = (chunk: Buffer) => {
    receivedBytes += chunk.length;
    if (receivedBytes > maxBytes) settle(new BodyError('too large'));
    else if (!hasRoom(chunk.length)) settle(new BodyError('no room'));
    else chunks.push(chunk);
  };
  const onEnd = () => settle(null, Buffer.concat(chunks, receivedBytes));
  const onError = () => settle(new BodyError('broken off'));
  if (announcedBytes > maxBytes) settle(new BodyError('too large'));
  else body.on('data', onData).on('end', onEnd).on('error', onError);
}
