import { objectOf, type JsonSchema, type ObjectSchema } from '../methods/json-schema';
import { TASK_ID } from '../methods/wire-schemas';
import { EVENTS } from './event-schemas';
import { NamedSchemas } from './named-schemas';
import type { ServiceFacts } from './service-facts';

const TEXT: JsonSchema = { type: 'string' };
const DETAIL = objectOf('Detail', { detail: TEXT });
const VALIDATION_ERROR = objectOf('ValidationError', {
  loc: { type: 'array', items: TEXT },
  msg: TEXT,
  type: TEXT,
});
const HTTP_VALIDATION_ERROR = objectOf('HTTPValidationError', { detail: { type: 'array', items: VALIDATION_ERROR } });
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

/** OpenAPI 3.1: the HTTP endpoints. The methods behind `POST /rpc` are described in OpenRPC. */
export function openApiDocument({ version, needsCredential }: ServiceFacts): object {
  const schemas = new NamedSchemas();
  return {
    openapi: '3.1.0',
    info: {
      title: 'Dossier',
      version,
      summary: 'Task attachments over JSON-RPC 2.0',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: needsCredential ? [{ apiKey: [] }, { accessToken: [] }] : [],
    paths: {
      '/rpc': { post: rpc(schemas) },
      '/v1/tasks/{task_id}': { delete: taskDeletion(schemas) },
      '/events': { get: events(schemas) },
      ...probes(schemas),
      ...machineReadable(),
      '/': textFile('page', 'A page that describes every method and calls it.', 'text/html'),
      '/docs': textFile('docs', 'The same page.', 'text/html'),
    },
    components: {
      schemas: schemas.all,
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
        accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
      },
    },
  };
}

function rpc(schemas: NamedSchemas): object {
  const refusal = (description: string) => ({ description, ...json(schemas.refer(REPLY)) });
  return {
    operationId: 'rpc',
    tags: ['methods'],
    summary: 'Calls methods: one JSON-RPC request, or a batch of them.',
    requestBody: { required: true, ...json(oneOrBatch(schemas.refer(REQUEST))) },
    responses: {
      200: { description: 'Every reply, errors included.', ...json(oneOrBatch(schemas.refer(REPLY))) },
      204: { description: 'There is nothing to reply: a notification, or a batch of them.' },
      400: refusal('Two `Host` headers, or a body that breaks off.'),
      403: refusal('A web page of another origin, or a `Host` that is not loopback.'),
      405: refusal('A verb other than POST.'),
      413: refusal('The body has more than `MAX_BODY_BYTES`.'),
      415: refusal('The content type is not JSON, or the body is compressed.'),
      503: { ...refusal('The replica is shutting down or overloaded.'), headers: RETRY_AFTER },
    },
  };
}

function taskDeletion(schemas: NamedSchemas): object {
  return {
    operationId: 'deleteTask',
    tags: ['tasks'],
    summary: 'Deletes a task with its sub-tasks and all their attachments.',
    parameters: [{ name: 'task_id', in: 'path', required: true, schema: schemas.refer(TASK_ID) }],
    responses: {
      204: { description: 'The task is deleted.' },
      ...restErrors(schemas),
      403: detail(schemas, 'The task belongs to another organisation, or the role may not delete tasks.'),
      404: detail(schemas, 'The task does not exist.'),
      422: { description: 'The id is malformed.', ...json(schemas.refer(HTTP_VALIDATION_ERROR)) },
      429: { ...detail(schemas, 'The caller has deleted too many tasks in this window.'), headers: RETRY_AFTER },
    },
  };
}

function events(schemas: NamedSchemas): object {
  const parameter = (name: string, description: string, schema: JsonSchema = TEXT, where = 'query') => ({
    name,
    in: where,
    description,
    schema,
  });
  const one = { oneOf: EVENTS.map(({ message }) => schemas.refer(message)) };
  return {
    operationId: 'followEvents',
    tags: ['events'],
    summary: 'Streams the events of the organisation of the caller, as server-sent events.',
    description: 'Each block has an `id` to continue after, the type as `event`, and the event as JSON in `data`.',
    parameters: [
      parameter('taskId', 'Only events of this task. Cannot be combined with `parentId`.', TASK_ID),
      parameter('parentId', 'Only events of this task and of its sub-tasks.', TASK_ID),
      parameter('lastEventId', 'Continues after this event.'),
      parameter('Last-Event-ID', 'The same; goes before the query.', TEXT, 'header'),
    ],
    responses: {
      200: {
        description: 'The stream; it ends only when one side closes it.',
        content: { 'text/event-stream': { schema: TEXT, 'x-dataSchema': one } },
      },
      ...restErrors(schemas),
      400: { description: 'A parameter is wrong.', ...json(schemas.refer(HTTP_VALIDATION_ERROR)) },
    },
  };
}

function probes(schemas: NamedSchemas): object {
  const health = objectOf(
    'Health',
    { status: TEXT },
    { info: { type: 'object' }, error: { type: 'object' }, details: { type: 'object' } },
  );
  const probe = (operationId: string, summary: string, when?: string) => ({
    get: {
      operationId,
      tags: ['operation'],
      summary,
      security: [],
      responses: {
        200: { description: 'Yes.', ...json(schemas.refer(health)) },
        ...(when ? { 503: { description: when, ...json(schemas.refer(health)) } } : {}),
      },
    },
  });
  return {
    '/livez': probe('isAlive', 'Whether the process runs. Asks no store.'),
    '/startupz': probe('hasStarted', 'Whether the start-up is complete.', 'Not yet.'),
    '/readyz': probe(
      'isReady',
      'Whether calls can be served, with the state of each server.',
      'No store can answer, or the replica starts or stops.',
    ),
    '/metrics': textFile('metrics', 'Metrics, for Prometheus.', 'text/plain'),
  };
}

function machineReadable(): object {
  return {
    '/openrpc.json': textFile(
      'openRpc',
      'The methods, in OpenRPC. `rpc.discover` returns the same.',
      'application/json',
    ),
    '/openapi.json': textFile('openApi', 'This document.', 'application/json'),
    '/asyncapi.json': textFile('asyncApi', 'The events and the NATS requests, in AsyncAPI.', 'application/json'),
  };
}

const RETRY_AFTER = { 'Retry-After': { description: 'In seconds.', schema: { type: 'integer' } } };

function restErrors(schemas: NamedSchemas): object {
  return {
    401: detail(schemas, 'The credential is missing or wrong.'),
    403: detail(schemas, 'A web page of another origin, or a `Host` that is not loopback.'),
    500: detail(schemas, 'The service has a fault.'),
    503: {
      ...detail(schemas, 'PostgreSQL cannot answer, or the replica is shutting down or overloaded.'),
      headers: RETRY_AFTER,
    },
  };
}

function detail(schemas: NamedSchemas, description: string): object {
  return { description, ...json(schemas.refer(DETAIL)) };
}

function oneOrBatch(one: object): object {
  return { oneOf: [one, { type: 'array', items: one, ...BATCH_SIZE }] };
}

function json(schema: object): object {
  return { content: { 'application/json': { schema } } };
}

function textFile(operationId: string, summary: string, mediaType: string): object {
  const schema = mediaType === 'application/json' ? { type: 'object' } : TEXT;
  return {
    get: {
      operationId,
      tags: ['operation'],
      summary,
      security: [],
      responses: { 200: { description: 'The document.', content: { [mediaType]: { schema } } } },
    },
  };
}
