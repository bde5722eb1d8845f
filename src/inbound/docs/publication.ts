import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A text that stays the same as long as this process runs. */
export interface Publication {
  readonly text: string;
  /** Of the text, as HTTP has it: in quotes. */
  readonly etag: string;
}

export function publish(text: string): Publication {
  return { text, etag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"` };
}

/** Another release may have another text: a browser keeps it, and asks each time whether it is still the same. */
export function sendPublication(
  { text, etag }: Publication,
  mediaType: string,
  { headers }: FastifyRequest,
  reply: FastifyReply,
): void {
  void reply.headers({ etag, 'cache-control': 'no-cache' });
  const known = headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (known?.includes(etag)) void reply.code(304).send();
  else void reply.type(`${mediaType}; charset=utf-8`).send(text);
}
