import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text as readAll } from 'node:stream/consumers';

const SILENCE_TIMEOUT_MS = 10_000;

/** A connection on which a test writes what no HTTP client would. */
export async function openConnection(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.setTimeout(SILENCE_TIMEOUT_MS, () => socket.destroy(new Error('the service neither answers nor hangs up')));
  await once(socket, 'connect');
  return socket;
}

/** What the service answers to these bytes until it hangs up. */
export async function exchange(url: string, bytes: string | Uint8Array): Promise<string> {
  const socket = await openConnection(url);
  socket.write(bytes);
  return readAll(socket);
}

/** A request to `POST /rpc`, as bytes on the wire. */
export function rawRequest(body: string, headers: Record<string, string> = {}): string {
  const all = {
    host: 'localhost',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
  };
  const lines = Object.entries({ ...all, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST /rpc HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}
