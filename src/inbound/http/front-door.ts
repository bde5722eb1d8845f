import { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CallIds } from '../correlation/call-ids';
import { REQUEST_ID_HEADER, requestIdOf } from '../correlation/request-id';
import { errorReply } from '../json-rpc/json-rpc';
import type { JsonRpcError } from '../json-rpc/json-rpc-error';
import { ConnectionsPerPeer } from './connections-per-peer';
import { cutConnection } from './cut-connection';
import { idsOf } from './http-origin';
import { forbiddenOrigin, LONG_URL, MAX_URL_LENGTH, NO_HOST, TWO_HOSTS, type HttpRefusal } from './http-refusal';
import { PipelinedRequests } from './pipelined-requests';
import { dropBody, MAX_UNREAD_BYTES } from './read-body';
import { senderOf } from './sender-of';
import { WebPages, type WebPageRules } from './web-pages';

export interface FrontDoorOptions extends WebPageRules {
  readonly maxConnectionsPerPeer: number;
  /** Addresses and CIDR ranges. */
  readonly trustedProxies: readonly string[];
}

/** Of every reply: a browser must neither guess its type nor keep it. */
export const SAFE_HEADERS = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };
/** Node looks twice before it sees that a reader takes nothing: the connection ends within ten seconds. */
const READER_CHECK_MS = 5000;
/** Clients of these paths read JSON-RPC only. */
const SPEAKS_JSON_RPC = /^\/(?:rpc|mcp)(?:\?|$)/;

/** What every HTTP request passes, whatever its path: turns, rules for web pages, bounds on what a peer may hold. */
export class FrontDoor {
  private readonly pages: WebPages;
  private readonly connections: ConnectionsPerPeer;

  constructor(
    options: FrontDoorOptions,
    private readonly onRefusal: (error: JsonRpcError, ids: CallIds) => void = () => undefined,
    /** When a request of a sender may be handled; undefined means at once. */
    private readonly turnOf: (sender: string) => Promise<void> | undefined = () => undefined,
  ) {
    this.pages = new WebPages(options);
    this.connections = new ConnectionsPerPeer(options.maxConnectionsPerPeer, options.trustedProxies);
  }

  install(fastify: FastifyInstance): void {
    this.connections.watch(fastify.server);
    new PipelinedRequests((socket) => this.turnOf(senderOf(socket))).install(fastify.server);
    fastify.server.on('timeout', cutConnection);
    // Node's own refusal would lack the headers of every reply.
    fastify.server.on('checkExpectation', ({ headers }, response) => {
      const requestId = requestIdOf(headers[REQUEST_ID_HEADER]);
      response.writeHead(417, { ...SAFE_HEADERS, [REQUEST_ID_HEADER]: requestId, connection: 'close' }).end();
    });
    fastify.addHook('onRequest', (request, reply, next) => {
      if (this.admits(request, reply)) next();
    });
    fastify.addHook('onSend', ({ raw: { socket } }, _reply, payload, next) => {
      // Nearly every reply has left by then: setting a time-out for each would cost more than looking.
      setImmediate(() => limitReader(socket));
      next(null, payload);
    });
  }

  /** Otherwise the reply has been sent. */
  private admits(request: FastifyRequest, reply: FastifyReply): boolean {
    const { method, headers, raw } = request;
    // Fastify reads no body of these.
    if (method === 'GET' || method === 'HEAD') dropBody(raw, MAX_UNREAD_BYTES);
    reply.headers(SAFE_HEADERS).header(REQUEST_ID_HEADER, request.id);
    const shared = this.pages.headers(headers.origin);
    if (shared) reply.headers(shared);
    if (request.url.length > MAX_URL_LENGTH) return this.refuse(request, reply, LONG_URL);
    if (hasTwoHosts(raw.rawHeaders)) return this.refuse(request, reply, TWO_HOSTS);
    if (headers.host === undefined && raw.httpVersion === '1.1') return this.refuse(request, reply, NO_HOST);
    const problem = this.pages.refusal(method, headers);
    if (problem !== undefined) return this.refuse(request, reply, forbiddenOrigin(problem));
    const preflight = this.pages.preflight(method, headers);
    if (!preflight) return true;
    void reply.code(204).headers(preflight).send();
    return false;
  }

  private refuse(request: FastifyRequest, reply: FastifyReply, { status, error }: HttpRefusal): false {
    this.onRefusal(error, idsOf(request));
    dropBody(request.raw, MAX_UNREAD_BYTES);
    const { reason } = error.data as unknown as { readonly reason: string };
    const detail = `${error.message}: ${reason}`;
    const body = SPEAKS_JSON_RPC.test(request.url) ? errorReply(error, 'null') : JSON.stringify({ detail });
    void reply.code(status).type('application/json; charset=utf-8').send(body);
    return false;
  }
}

/**
 * Bounds the time in which a reader takes no part of what is being sent to it. Afterwards Node replaces the time-out
 * with that of an idle connection.
 */
function limitReader(socket: Socket): void {
  if (socket instanceof Socket && socket.writableLength > 0) socket.setTimeout(READER_CHECK_MS);
}

/** Node takes the first one, and a proxy in front of it may take the other. */
function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count > 1;
}
