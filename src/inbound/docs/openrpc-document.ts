import { describeError, ERROR_WORDS, type ErrorDescription } from '../methods/error-descriptions';
import type { JsonSchema, ObjectSchema } from '../methods/json-schema';
import { METHODS, type MethodDescription } from '../methods/method-descriptions';
import type { MethodExample } from '../methods/rpc-method';
import { NamedSchemas } from './named-schemas';
import type { ServiceFacts } from './service-facts';

const DESCRIPTION = `Task attachments over JSON-RPC 2.0: \`POST /rpc\`, one request object or a batch of them, or a NATS request to
the subject of the method. Parameters have names. \`data.code\` of an error is a word that never changes; \`x-errors\` says
what each of them means. Keywords of schemas that begin with \`x-\` are this service's own: \`x-maxBytes\` and
\`x-maxJsonBytes\` limit the UTF-8 length of a string and of the JSON text of a value (limits by name are in \`x-limits\`),
\`x-maxDepth\` the levels of arrays and objects, members in \`x-equal\` must be equal if several are given, and
\`x-null\` says what null means.`;

/** OpenRPC 1.4.1: what \`rpc.discover\` returns. */
export function openRpcDocument({ version, address, limits, needsCredential, nats }: ServiceFacts): object {
  const schemas = new NamedSchemas();
  const methods = METHODS.map((method) => methodObject(method, schemas));
  const errors = ERROR_WORDS.map((name) => [name, errorFacts(describeError(name), schemas)]);
  return {
    openrpc: '1.4.1',
    info: { title: 'Dossier', version, description: DESCRIPTION.replaceAll('\n', ' '), license: { name: 'MIT' } },
    servers: [
      {
        name: 'HTTP',
        url: 'http://${address}/rpc',
        variables: { address: { default: address, description: 'Where the service is reached.' } },
      },
    ],
    methods,
    components: { schemas: schemas.all },
    'x-errors': Object.fromEntries(errors) as object,
    'x-limits': {
      MAX_ATTACHMENT_BYTES: limits.maxAttachmentBytes,
      MAX_BODY_BYTES: limits.maxBodyBytes,
      MAX_REPLY_BYTES: limits.maxReplyBytes,
    },
    'x-needsCredential': needsCredential,
    ...(nats ? { 'x-nats': { subjectPrefix: nats.prefix === undefined ? '' : `${nats.prefix}.` } } : {}),
  };
}

function methodObject(method: MethodDescription, schemas: NamedSchemas): object {
  const { name, group, summary, description, params, result, errors, examples } = method;
  return {
    name,
    summary,
    description,
    tags: [{ name: group }],
    paramStructure: 'by-name',
    params: Object.entries(params.properties).map(([member, schema]) => ({
      name: member,
      required: params.required.includes(member),
      ...described(schema, schemas),
    })),
    result: { name: result.title, schema: schemas.refer(result) },
    errors: errors.map(({ name: word, code, message }) => ({ code, message, data: { code: word } })),
    examples: examples.map((example) => exampleObject(example, params, result)),
    'x-paramsSchema': schemas.refer(params),
    'x-role': method.role,
    'x-readOnly': method.readOnly,
    'x-destructive': method.destructive,
    'x-idempotent': method.idempotent,
    ...(method.callsPerMinute === undefined ? {} : { 'x-callsPerMinute': method.callsPerMinute }),
  };
}

/** A named schema keeps its description, because it stands elsewhere. */
function described(schema: JsonSchema, schemas: NamedSchemas): object {
  const { description, ...rest } = schema;
  if (description === undefined) return { schema: schemas.refer(schema) };
  return { description, schema: schemas.refer(schema.title === undefined ? rest : schema) };
}

function exampleObject(
  { name, params, result }: MethodExample,
  declared: ObjectSchema,
  returned: ObjectSchema,
): object {
  const given = Object.keys(declared.properties).filter((member) => Object.hasOwn(params, member));
  return {
    name,
    params: given.map((member) => ({ name: member, value: params[member] })),
    result: { name: returned.title, value: result },
  };
}

function errorFacts({ code, message, when, retryable, data }: ErrorDescription, schemas: NamedSchemas): object {
  return { code, message, when, retryable, data: schemas.refer(data) };
}
