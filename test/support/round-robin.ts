import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** An address that leads each new connection to the next of several servers, as the service of an orchestrator does. */
export interface RoundRobin {
  readonly url: string;
  /** New connections no longer lead there; those that are open stay. */
  remove(serverUrl: string): void;
  close(): Promise<void>;
}

export async function startRoundRobin(serverUrls: readonly string[]): Promise<RoundRobin> {
  let endpoints = serverUrls.map((url) => Number(new URL(url).port));
  let next = 0;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    const behind = connect(endpoints[next++ % endpoints.length] as number, '127.0.0.1');
    keep(client);
    keep(behind);
    client.pipe(behind).pipe(client);
    client.on('close', () => behind.destroy());
    behind.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    remove: (serverUrl) => {
      endpoints = endpoints.filter((port) => port !== Number(new URL(serverUrl).port));
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        sockets.forEach((socket) => socket.destroy());
      }),
  };
}
