import { STATUS_CODES, type Server, type ServerResponse } from 'node:http';
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

function refuseBrokenRequest({ code = '' }: { readonly code?: string }, socket: Socket): void {
  const isAnswering = (socket as { readonly _httpMessage?: ServerResponse })._httpMessage?.headersSent;
  if (code !== 'ECONNRESET' && socket.writable && !isAnswering) {
    const status = STATUSES[code] ?? 400;
    const body = JSON.stringify({ detail: STATUS_CODES[status] });
    const headers = { ...SAFE_HEADERS, 'content-type': 'application/json', 'content-length': body.length };
    const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
  }
  socket.destroy();
}
