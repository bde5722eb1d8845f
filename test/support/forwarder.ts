import { startTcpRelay } from './tcp-relay';

/** An address behind which the server can be exchanged, as behind the name of a managed database. */
export interface Forwarder {
  readonly port: number;
  /** Breaks what is open; from now on connections lead to this port. */
  leadTo(port: number): void;
  close(): Promise<void>;
}

export async function startForwarder(firstPort: number): Promise<Forwarder> {
  let target = firstPort;
  const relay = await startTcpRelay(() => target);
  return {
    port: relay.port,
    leadTo: (port) => {
      target = port;
      relay.breakAll();
    },
    close: () => relay.close(),
  };
}
