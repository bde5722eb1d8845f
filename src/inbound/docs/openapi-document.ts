import { objectOf, type JsonSchema } from '../methods/json-schema';
import { TASK_ID } from '../methods/wire-schemas';
import { EVENTS } from './event-schemas';
import { NamedSchemas } from './named-schemas';
import { json, RETRY_AFTER, TEXT } from './openapi-content';
import { messagePaths } from './openapi-messages';
import type { ServiceFacts } from './service-facts';

const DETAIL = objectOf('Detail', { detail: TEXT });
const VALIDATION_ERROR = objectOf('ValidationError', {
  loc: { type: 'array', items: TEXT },
  msg: TEXT,
  type: TEXT,
});
const HTTP_VALIDATION_ERROR = objectOf('HTTPValidationError', { detail: { type: 'array', items: VALIDATION_ERROR } });

/** OpenAPI 3.1: the HTTP endpoints. The methods behind `POST /rpc` are described in OpenRPC. */
export function openApiDocument({ version, needsCredential, servesMcp }: ServiceFacts): object {
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
      ...messagePaths(schemas, servesMcp),
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
