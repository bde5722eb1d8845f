import { startTcpRelay } from './tcp-relay';

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
  const relay = await startTcpRelay(() => endpoints[next++ % endpoints.length] as number);
  return {
    url: `http://127.0.0.1:${relay.port}`,
    remove: (serverUrl) => {
      endpoints = endpoints.filter((port) => port !== Number(new URL(serverUrl).port));
    },
    close: () => relay.close(),
  };
}
