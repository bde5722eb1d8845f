import type { specTypeSchemas } from '@modelcontextprotocol/server';
import type { FieldError } from '../../core/domain/domain-error';
import { INVALID_PARAMS, JsonRpcError } from '../json-rpc/json-rpc-error';

/** A message can have thousands of wrong values. */
const MAX_ERRORS = 20;
/** Of the requests that are served, as the SDK calls their schemas. */
const SCHEMAS = {
  initialize: 'InitializeRequest',
  'tools/list': 'ListToolsRequest',
  'tools/call': 'CallToolRequest',
  'resources/list': 'ListResourcesRequest',
  'resources/templates/list': 'ListResourceTemplatesRequest',
  'resources/read': 'ReadResourceRequest',
} as const;

type Schemas = Pick<typeof specTypeSchemas, (typeof SCHEMAS)[keyof typeof SCHEMAS]>;

interface Issue {
  readonly message: string;
  readonly path?: readonly unknown[];
}

/** What is wrong with params that the SDK has refused: it would print what its schemas found. Undefined: nothing is. */
export function refusedParams(schemas: Schemas, method: string, request: unknown): JsonRpcError | undefined {
  if (!Object.hasOwn(SCHEMAS, method)) return undefined;
  const { issues = [] } = schemas[SCHEMAS[method as keyof typeof SCHEMAS]]['~standard'].validate(request);
  if (issues.length === 0) return undefined;
  const errors = issues.slice(0, MAX_ERRORS).map(fieldError);
  return new JsonRpcError(INVALID_PARAMS, 'Invalid params', { code: 'INVALID_PARAMS', errors });
}

function fieldError({ message, path = [] }: Issue): FieldError {
  const [, ...inParams] = path;
  return {
    field: inParams.length > 0 ? inParams.join('.') : 'params',
    message: message.replace(/^Invalid input(: )?/, '') || 'is not valid',
  };
}
