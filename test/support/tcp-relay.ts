import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** An address whose connections lead on to other ports. */
export interface TcpRelay {
  readonly port: number;
  /** Ends all open connections. */
  breakAll(): void;
  close(): Promise<void>;
}

/** `nextPort` says for each new connection where it leads to. */
export async function startTcpRelay(nextPort: () => number): Promise<TcpRelay> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    const behind = connect(nextPort(), '127.0.0.1');
    keep(client);
    keep(behind);
    client.pipe(behind).pipe(client);
    client.on('close', () => behind.destroy());
    behind.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const breakAll = () => sockets.forEach((socket) => socket.destroy());
  return {
    port: (server.address() as AddressInfo).port,
    breakAll,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        breakAll();
      }),
  };
}
