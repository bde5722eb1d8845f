import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isTraceparent, type TraceContext } from '../../core/domain/trace-context';
import type { OpenSpan, SpanOptions, Tracing } from '../../core/ports/tracing';
import { REQUEST_ID_ATTRIBUTE } from '../correlation/request-id';
import { untilSent } from './until-sent';

/** Probes come all the time and say nothing; a stream of events is no call, and takes hours. */
const UNTRACED = ['/livez', '/readyz', '/startupz', '/metrics', '/events'];
const METHODS = ['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE'];
const FIRST_FAILURE = 500;

const spans = new WeakMap<FastifyRequest, OpenSpan>();

/** To be called before any hook or route is added. */
export function traceRequests(fastify: FastifyInstance, tracing: Tracing): void {
  fastify.addHook('onRequest', (request, reply, next) => {
    if (UNTRACED.includes(request.routeOptions.url ?? '')) return next();
    const span = tracing.begin(httpSpan(request));
    spans.set(request, span);
    void untilSent(reply.raw).then(() => {
      const { statusCode } = reply.raw;
      span.set({ 'http.response.status_code': statusCode });
      if (statusCode >= FIRST_FAILURE) span.fail(String(statusCode));
      span.end();
    });
    next();
  });
  // Not earlier: the handler is called by what receives the body, and that knows nothing of the span.
  fastify.addHook('preHandler', (request, _reply, next) => {
    const span = spans.get(request);
    if (span) span.run(next);
    else next();
  });
}

/** Undefined if the request has no span. */
export function traceOf(request: FastifyRequest): TraceContext | undefined {
  return spans.get(request)?.context;
}

/** Without the path and the query: they hold ids, and whatever else a caller writes there. */
function httpSpan({ method: sent, routeOptions, headers, raw, id }: FastifyRequest): SpanOptions {
  const method = METHODS.includes(sent) ? sent : '_OTHER';
  const route = routeOptions.url;
  const attributes = {
    'http.request.method': method,
    'url.scheme': 'http',
    'network.protocol.version': raw.httpVersion,
    [REQUEST_ID_ATTRIBUTE]: id,
    ...(route !== undefined && { 'http.route': route, 'url.path': route }),
  };
  const { traceparent, tracestate } = headers;
  const state = typeof tracestate === 'string' ? { tracestate } : {};
  const parent = isTraceparent(traceparent) ? { traceparent, ...state } : undefined;
  return { name: route === undefined ? method : `${method} ${route}`, kind: 'server', attributes, parent };
}
