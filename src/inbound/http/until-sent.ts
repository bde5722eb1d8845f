import type { ServerResponse } from 'node:http';

/** Resolves when the reply has been handed over to the operating system, or its connection has closed. Never rejects. */
export async function untilSent(answering: Promise<unknown>, response: ServerResponse): Promise<void> {
  await answering.catch(() => undefined);
  if (response.writableFinished || response.destroyed) return;
  await new Promise<void>((resolve) => response.once('finish', resolve).once('close', resolve));
}
