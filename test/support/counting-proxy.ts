import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface CountingProxy {
  readonly port: number;
  /** Since the last call: how often the client has sent something after a reply. */
  takeRoundTrips(): number;
  close(): Promise<void>;
}

/** Stands between a client and a server on this machine, passes everything on, and counts round trips. */
export async function startCountingProxy(
  serverPort: number,
  isCounted: (request: Buffer) => boolean = () => true,
): Promise<CountingProxy> {
  const sockets = new Set<Socket>();
  let roundTrips = 0;
  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1');
    let isWaiting = false;
    client.on('data', (data) => {
      if (isCounted(data)) {
        if (!isWaiting) roundTrips += 1;
        isWaiting = true;
      }
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      isWaiting = false;
      client.write(data);
    });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    port: (server.address() as AddressInfo).port,
    takeRoundTrips: () => {
      const taken = roundTrips;
      roundTrips = 0;
      return taken;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
