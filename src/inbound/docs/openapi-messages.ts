import { objectOf, type JsonSchema, type ObjectSchema } from '../methods/json-schema';
import type { NamedSchemas } from './named-schemas';
import { json, RETRY_AFTER, TEXT } from './openapi-content';

const ID: JsonSchema = {
  type: ['string', 'number', 'null'],
  description: 'Without one, the request is a notification.',
};
const REQUEST = objectOf(
  'JsonRpcRequest',
  { jsonrpc: { const: '2.0' }, method: { ...TEXT, description: 'One of the methods of `/openrpc.json`.' } },
  { params: { type: ['object', 'array', 'null'], description: 'By name.' }, id: ID },
);
const REPLY: ObjectSchema = {
  ...objectOf(
    'JsonRpcReply',
    { jsonrpc: { const: '2.0' }, id: { type: ['string', 'number', 'null'] } },
    {
      result: { description: 'As `/openrpc.json` describes it.' },
      error: objectOf('JsonRpcError', { code: { type: 'integer' }, message: TEXT }, { data: { type: 'object' } }),
    },
  ),
  oneOf: [{ required: ['result'] }, { required: ['error'] }],
};
const BATCH_SIZE = { minItems: 1, maxItems: 100 };

/** The paths to which JSON-RPC messages are posted. */
export function messagePaths(schemas: NamedSchemas, servesMcp: boolean): object {
  return { '/rpc': { post: rpc(schemas) }, ...(servesMcp ? { '/mcp': { post: mcp(schemas) } } : {}) };
}

function rpc(schemas: NamedSchemas): object {
  const refusal = refusalIn(schemas);
  return {
    operationId: 'rpc',
    tags: ['methods'],
    summary: 'Calls methods: one JSON-RPC request, or a batch of them.',
    requestBody: { required: true, ...json(oneOrBatch(schemas.refer(REQUEST))) },
    responses: {
      200: { description: 'Every reply, errors included.', ...json(oneOrBatch(schemas.refer(REPLY))) },
      204: { description: 'There is nothing to reply: a notification, or a batch of them.' },
      400: refusal('Two `Host` headers, or a body that breaks off.'),
      ...messageRefusals(schemas),
    },
  };
}

function mcp(schemas: NamedSchemas): object {
  const refusal = refusalIn(schemas);
  return {
    operationId: 'mcp',
    tags: ['methods'],
    summary: 'Takes one message of the Model Context Protocol: the methods as tools, attachments as resources.',
    description: 'Streamable HTTP without sessions, in the revisions 2026-07-28, 2025-11-25 and 2025-06-18.',
    requestBody: { required: true, ...json(schemas.refer(REQUEST)) },
    responses: {
      200: {
        description: 'The reply. That of `subscriptions/listen` is a stream that ends at once.',
        content: { 'application/json': { schema: schemas.refer(REPLY) }, 'text/event-stream': { schema: TEXT } },
      },
      202: { description: 'A notification was received.' },
      400: refusal('No message of the protocol, a batch, or headers that do not fit the message.'),
      401: refusal('The credential is missing or wrong.'),
      404: refusal('The revision 2026-07-28 has no such method, or it is not served.'),
      406: refusal('`Accept` lacks JSON or event streams, before 2026-07-28.'),
      ...messageRefusals(schemas),
    },
  };
}

function refusalIn(schemas: NamedSchemas): (description: string) => object {
  return (description) => ({ description, ...json(schemas.refer(REPLY)) });
}

/** Of every path that takes messages. */
function messageRefusals(schemas: NamedSchemas): object {
  const refusal = refusalIn(schemas);
  return {
    403: refusal('A web page of another origin, or a `Host` that is not loopback.'),
    405: refusal('A verb other than POST.'),
    413: refusal('The body has more than `MAX_BODY_BYTES`.'),
    415: refusal('The content type is not JSON, or the body is compressed.'),
    503: { ...refusal('The replica is shutting down or overloaded.'), headers: RETRY_AFTER },
  };
}

function oneOrBatch(one: object): object {
  return { oneOf: [one, { type: 'array', items: one, ...BATCH_SIZE }] };
}
