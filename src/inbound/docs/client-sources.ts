import { describeError, ERROR_WORDS } from '../methods/error-descriptions';
import type { JsonSchema, ObjectSchema } from '../methods/json-schema';
import { METHODS } from '../methods/method-descriptions';
import { EVENTS } from './event-schemas';
import { comment, declarationOf, typeOf, unionOf } from './type-text';

const HEADER = '// Generated from the description of the service: `npm run docs:api` writes this file.\n';

/** What \`client/src/generated\` holds, by the name of the file. */
export function clientSources(): Readonly<Record<string, string>> {
  return { 'methods.ts': methods(), 'errors.ts': errors(), 'events.ts': events() };
}

function methods(): string {
  const named = namedWithin(METHODS.flatMap(({ params, result }) => [params, result]));
  const entries = METHODS.map(({ name, summary, description, params, result }) => {
    const types = `{ readonly params: ${typeOf(params)}; readonly result: ${typeOf(result)} }`;
    return `${comment(`${summary} ${description}`, '  ')}  '${name}': ${types};\n`;
  });
  const traits = METHODS.map(
    ({ name, readOnly, idempotent }) => `  '${name}': { readOnly: ${readOnly}, idempotent: ${idempotent} },\n`,
  );
  return [
    HEADER,
    ...named.map(declarationOf),
    `/** The params and the result of each method. */\nexport interface Methods {\n${entries.join('')}}\n`,
    `/** \`idempotent\`: a second call with the same params has no further effect. */\nexport const METHODS = {\n${traits.join('')}} as const;\n`,
  ].join('\n');
}

function errors(): string {
  const described = ERROR_WORDS.map((word) => describeError(word));
  const named = namedWithin(described.flatMap(({ data }) => Object.values(data.properties)));
  const data = described.map(({ name, data: schema }) => `  readonly ${name}: ${typeOf(schema, '  ')};\n`);
  const classes = described.map(({ name, code, when }) => {
    const className = classOf(name);
    const head = `export class ${className} extends RpcError<ErrorData['${name}']>`;
    return `${comment(`${code}: ${when}`, '')}${head} {\n  override readonly name = '${className}';\n}\n`;
  });
  const table = described.map(({ name }) => `  ${name}: ${classOf(name)},\n`);
  const retryable = described.filter((error) => error.retryable).map(({ name }) => `  '${name}',\n`);
  return [
    `${HEADER}import { RpcError } from '../rpc-error.ts';\n`,
    ...named.map(declarationOf),
    `/** \`data\` of each error, by the word in \`data.code\`. */\nexport interface ErrorData {\n${data.join('')}}\n`,
    'export type ErrorWord = keyof ErrorData;\n',
    ...classes,
    `export const ERROR_CLASSES = {\n${table.join('')}} as const satisfies Record<ErrorWord, unknown>;\n`,
    `/** After these the same call may succeed later. */\nexport const RETRYABLE_ERRORS: readonly ErrorWord[] = [\n${retryable.join('')}];\n`,
    'export function isErrorWord(word: unknown): word is ErrorWord {\n' +
      "  return typeof word === 'string' && Object.hasOwn(ERROR_CLASSES, word);\n}\n",
  ].join('\n');
}

function events(): string {
  const titles = EVENTS.map(({ message }) => message.title as string);
  return [
    HEADER,
    ...EVENTS.map(({ summary, message }) => comment(summary, '') + declarationOf(message)),
    unionOf('export type DossierEvent =', titles),
  ].join('\n');
}

/** `TASK_NOT_FOUND` becomes `TaskNotFoundError`. */
function classOf(word: string): string {
  const words = word.split('_').map((part) => part.charAt(0) + part.slice(1).toLowerCase());
  return words.at(-1) === 'Error' ? words.join('') : `${words.join('')}Error`;
}

/** The schemas with a title, each once, those that others refer to first. */
function namedWithin(schemas: readonly JsonSchema[]): readonly ObjectSchema[] {
  const named = new Map<string, ObjectSchema>();
  const visit = (schema: JsonSchema): void => {
    const { title, properties = {}, items, anyOf = [] } = schema;
    for (const inner of [...Object.values(properties), ...(items ? [items] : []), ...anyOf]) visit(inner);
    if (title !== undefined && !named.has(title)) named.set(title, schema as ObjectSchema);
  };
  schemas.forEach(visit);
  return [...named.values()];
}
