import type { Socket } from 'node:net';

/**
 * Ends a connection, with a reset if something waits for its peer: otherwise the operating system would keep what was
 * not sent, megabytes of it, for minutes, and no bound of this process counts that.
 */
export function cutConnection(socket: Socket): void {
  if (socket.writableLength > 0) socket.resetAndDestroy();
  else socket.destroy();
}
