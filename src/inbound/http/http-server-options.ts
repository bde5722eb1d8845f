import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { parse } from 'node:querystring';
import type { FastifyHttpOptions } from 'fastify';
import { REQUEST_ID_HEADER, requestIdOf } from '../correlation/request-id';
import { SAFE_HEADERS } from './front-door';
import { MAX_URL_LENGTH } from './http-refusal';
import { addressRanges } from './peer-network';
import { refuseUndecodableUrl } from './refuse-undecodable-url';

const STATUSES: Readonly<Record<string, number>> = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 };

/** For the Fastify server: how long a client may take to send a request, and what is not a request at all. */
export function httpServerOptions(
  trustedProxies: readonly string[],
  { requestTimeoutMs = 30_000, headersTimeoutMs = 10_000, checkIntervalMs = 2000 } = {},
): FastifyHttpOptions<Server> {
  return {
    // Not Fastify's own lists: they do not know an address with a port.
    trustProxy: trustedProxies.length > 0 && addressRanges(trustedProxies),
    requestTimeout: requestTimeoutMs,
    http: {
      headersTimeout: headersTimeoutMs,
      connectionsCheckingInterval: checkIntervalMs,
      // Such a request is refused by the front door, with the headers of every reply.
      requireHostHeader: false,
    },
    // It is called before anything else: the names of a long one would take milliseconds.
    routerOptions: { querystringParser: (query) => (query.length > MAX_URL_LENGTH ? {} : parse(query)) },
    genReqId: ({ headers }) => requestIdOf(headers[REQUEST_ID_HEADER]),
    frameworkErrors: refuseUndecodableUrl,
    // Fastify's own refusal would not have the form of the protocol.
    return503OnClosing: false,
    clientErrorHandler: refuseBrokenRequest,
  };
}

type HttpSocket = Socket & { readonly _httpMessage?: ServerResponse & { readonly req: IncomingMessage } };

const refused = new WeakSet<Socket>();

/** What follows a broken request cannot be read, and is refused with it, once. */
function refuseBrokenRequest({ code = '' }: { readonly code?: string }, socket: HttpSocket): void {
  if (refused.has(socket)) return;
  refused.add(socket);
  if (code === 'ECONNRESET') socket.destroy();
  else refuseInTurn(STATUSES[code] ?? 400, socket);
}

/** Replies to earlier requests come first. One that has begun is cut off, as it may never end. */
function refuseInTurn(status: number, socket: HttpSocket): void {
  const reply = socket._httpMessage;
  if (!socket.writable || reply?.headersSent) socket.destroy();
  else if (reply?.req.complete) reply.once('close', () => refuseInTurn(status, socket));
  else refuseNow(status, socket);
}

function refuseNow(status: number, socket: Socket): void {
  const body = JSON.stringify({ detail: STATUS_CODES[status] });
  const headers = { ...SAFE_HEADERS, 'content-type': 'application/json', 'content-length': body.length };
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
  socket.destroy();
}
