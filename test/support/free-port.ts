import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below those that systems give to outgoing connections, of which one could take the port before the server does: from
 * 32768 on Linux, from 49152 on macOS.
 */
const FIRST_PORT = 20_000;
const PORTS = 12_000;
/** Puts processes that were started one after the other far apart. */
const STRIDE = 7919;

let next = (process.pid * STRIDE) % PORTS;

/** Of the loopback address. Nothing reserves it, but no process that asks here is given it soon again. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORTS; tries++) {
    const port = FIRST_PORT + next;
    next = (next + 1) % PORTS;
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${FIRST_PORT} to ${FIRST_PORT + PORTS - 1} is free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
