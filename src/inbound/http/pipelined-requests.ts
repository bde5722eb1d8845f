import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Of one connection, at the same time. Their replies leave in the order of the requests anyway. */
const MAX_HANDLED = 8;
/** A client that sends more before it has got the replies is disconnected. */
const MAX_WAITING = 100;

interface Connection {
  handled: number;
  readonly waiting: (() => void)[];
}

/**
 * Bounds what one connection has handled at the same time. A client may send requests without waiting for replies, and
 * Node hands over all that have arrived in one iteration of the event loop: thousands of small ones, in which no other
 * client is served.
 */
export class PipelinedRequests {
  private readonly connections = new WeakMap<Socket, Connection>();

  /** The handlers of the server must have been added. */
  install(server: Server): void {
    const handlers = server.listeners('request') as RequestListener[];
    server.removeAllListeners('request');
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.take(request.socket, response, () => {
        for (const handle of handlers) handle.call(server, request, response);
      });
    });
  }

  private take(socket: Socket, response: ServerResponse, handle: () => void): void {
    if (socket.destroyed) return;
    const connection = this.connections.get(socket) ?? { handled: 0, waiting: [] };
    this.connections.set(socket, connection);
    const begin = () => {
      response.once('close', () => next(socket, connection));
      handle();
    };
    if (connection.handled < MAX_HANDLED) {
      connection.handled += 1;
      begin();
    } else if (connection.waiting.length < MAX_WAITING) connection.waiting.push(begin);
    else socket.destroy();
  }
}

/**
 * In a later iteration of the event loop: what others have sent meanwhile comes first. Nobody waits for what has not
 * begun when the connection closes.
 */
function next(socket: Socket, connection: Connection): void {
  if (socket.destroyed) connection.waiting.length = 0;
  const begin = connection.waiting.shift();
  if (begin) setImmediate(begin);
  else connection.handled -= 1;
}
