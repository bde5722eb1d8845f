import type { Command, Redis } from 'ioredis';

/**
 * Commands of one iteration of the event loop leave in one packet. A system call for each would cost more than all that
 * Redis does for it. (ioredis's own pipelining also makes one reply of all, which costs more than this.)
 */
export function sendTogether(client: Redis): void {
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command: Command, stream?: Parameters<typeof send>[1]) => {
    const { stream: socket } = client;
    if (socket?.writableCorked === 0) {
      socket.cork();
      setImmediate(() => socket.uncork());
    }
    return send(command, stream);
  };
}
