import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** An address behind which the server can be exchanged, as behind the name of a managed database. */
export interface Forwarder {
  readonly port: number;
  /** Breaks what is open; from now on connections lead to this port. */
  leadTo(port: number): void;
  close(): Promise<void>;
}

export async function startForwarder(firstPort: number): Promise<Forwarder> {
  let target = firstPort;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    const behind = connect(target, '127.0.0.1');
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
    leadTo: (port) => {
      target = port;
      breakAll();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        breakAll();
      }),
  };
}
