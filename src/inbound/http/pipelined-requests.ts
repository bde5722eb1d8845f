import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Of one connection, at the same time. Their replies leave in the order of the requests anyway. */
const MAX_HANDLED = 8;
/** A client that sends more before it has got the replies is disconnected: what waits is in memory, for nobody yet. */
const MAX_WAITING = 32;
/** Of targets, headers, and bodies as they were announced. */
const MAX_WAITING_BYTES = 64 * 1024;
/** Of a body that comes in chunks: so much Node receives of it before it is read. */
const CHUNKED_BYTES = 64 * 1024;
/** A small header takes much more memory than bytes on the wire. */
const MAX_HEADERS = 100;

interface Waiting {
  readonly bytes: number;
  readonly begin: () => void;
}

interface Connection {
  handled: number;
  waiting: Waiting[];
}

/**
 * Bounds what one connection has handled at the same time. A client may send requests without waiting for replies, and
 * Node hands over all that have arrived in one iteration of the event loop: thousands of small ones, in which no other
 * client is served.
 */
export class PipelinedRequests {
  private readonly connections = new WeakMap<Socket, Connection>();

  /** `turnOf` says when the next request of a connection may be handled; undefined means at once. */
  constructor(private readonly turnOf: (socket: Socket) => Promise<void> | undefined = () => undefined) {}

  /** The handlers of the server must have been added. */
  install(server: Server): void {
    const handlers = server.listeners('request') as RequestListener[];
    server.removeAllListeners('request');
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (request.rawHeaders.length > 2 * MAX_HEADERS) return refuse(server, request, response);
      this.take(request, response, () => {
        for (const handle of handlers) handle.call(server, request, response);
      });
    });
  }

  private take(request: IncomingMessage, response: ServerResponse, handle: () => void): void {
    const { socket } = request;
    if (socket.destroyed) return;
    const connection = this.connections.get(socket) ?? { handled: 0, waiting: [] };
    this.connections.set(socket, connection);
    const begin = () => {
      response.once('close', () => next(socket, connection));
      const turn = this.turnOf(socket);
      if (!turn) return handle();
      // Nobody waits for it if the connection has closed meanwhile.
      void turn.then(() => socket.destroyed || handle());
    };
    if (connection.handled < MAX_HANDLED) {
      connection.handled += 1;
      begin();
      return;
    }
    connection.waiting.push({ bytes: bytesOf(request), begin });
    if (connection.waiting.length > MAX_WAITING || waitingBytes(connection) > MAX_WAITING_BYTES) socket.destroy();
  }
}

/** As headers that Node finds too large; but a reply may not overtake those to earlier requests. */
function refuse(server: Server, { socket }: IncomingMessage, response: ServerResponse): void {
  const error = Object.assign(new Error('too many headers'), { code: 'HPE_HEADER_OVERFLOW' });
  if (response.socket) server.emit('clientError', error, socket);
  else socket.destroy();
}

function waitingBytes({ waiting }: Connection): number {
  return waiting.reduce((sum, { bytes }) => sum + bytes, 0);
}

function bytesOf({ url = '', rawHeaders, headers }: IncomingMessage): number {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = headers;
  const bodyBytes = encoding === undefined ? Number(length) : CHUNKED_BYTES;
  return rawHeaders.reduce((sum, text) => sum + text.length, url.length + bodyBytes);
}

/**
 * In a later iteration of the event loop: what others have sent meanwhile comes first. Nobody waits for what has not
 * begun when the connection closes.
 */
function next(socket: Socket, connection: Connection): void {
  if (socket.destroyed) connection.waiting = [];
  const first = connection.waiting.shift();
  if (first) setImmediate(first.begin);
  else connection.handled -= 1;
}
