import type { Span, SpanOptions } from '../../core/ports/tracing';
import { REQUEST_ID_ATTRIBUTE } from '../correlation/request-id';
import type { CallOrigin } from './call-context';
import type { JsonRpcError } from './json-rpc-error';

/** By the semantic conventions of OpenTelemetry for JSON-RPC. Neither the id of the call nor a param is among them. */
const JSON_RPC = { 'rpc.system.name': 'jsonrpc', 'jsonrpc.protocol.version': '2.0' };
const UNKNOWN = '_OTHER';

/** `method` is undefined if there is none of that name: a name that a caller made up must not become one of a span. */
export function rpcSpan(method: string | undefined, { transport, ids, trace }: CallOrigin): SpanOptions {
  const attributes = {
    ...JSON_RPC,
    'rpc.method': method ?? UNKNOWN,
    'network.protocol.name': transport,
    [REQUEST_ID_ATTRIBUTE]: ids.requestId,
  };
  return { name: method ?? JSON_RPC['rpc.system.name'], kind: 'server', attributes, parent: trace };
}

/** By its code, and by the word that the caller sees; not by its message, which may name an attachment. */
export function noteError(span: Span, { code, data }: JsonRpcError): void {
  const word = data?.code;
  span.set({ 'rpc.response.status_code': String(code), ...(word !== undefined && { 'dossier.error': word }) });
  span.fail(String(code));
}
