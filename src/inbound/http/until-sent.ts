import type { ServerResponse } from 'node:http';

/**
 * Resolves when the reply has been handed over to the operating system, or its connection has closed. Never rejects.
 * A reply that waits for an earlier one on its connection learns nothing of its end: only the connection says that.
 */
export function untilSent(response: ServerResponse): Promise<void> {
  const { socket } = response.req;
  if (response.destroyed || socket.destroyed) return Promise.resolve();
  // There is one listener for each request that is open on the connection, and no bound on these.
  socket.setMaxListeners(0);
  return new Promise<void>((resolve) => {
    const end = () => {
      response.off('close', end);
      socket.off('close', end);
      resolve();
    };
    response.on('close', end);
    socket.on('close', end);
  });
}
