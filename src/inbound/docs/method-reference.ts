import type { JsonSchema, ObjectSchema } from '../methods/json-schema';
import { METHODS, type MethodDescription } from '../methods/method-descriptions';

const HEADER = `# Methods

This page is generated from the description beside each handler: \`npm run docs:api\` writes it. [The API reference](api.md)
says what holds for all methods: conventions, authentication, errors, limits, outages.
`;
/** Errors of every method are on the other page. */
const COMMON_SINCE = 'INVALID_PARAMS';

/** The methods as Markdown. */
export function methodReference(): string {
  const groups = [...new Set(METHODS.map(({ group }) => group))];
  const sections = groups.map((group) => {
    const title = `## ${group.charAt(0).toUpperCase()}${group.slice(1)}`;
    return [title, ...METHODS.filter((method) => method.group === group).map(sectionOf)].join('\n\n');
  });
  return `${[HEADER.trimEnd(), ...sections].join('\n\n')}\n`;
}

function sectionOf(method: MethodDescription): string {
  const { name, summary, description, params, result, errors, examples } = method;
  const own = errors.slice(
    0,
    errors.findIndex((error) => error.name === COMMON_SINCE),
  );
  const errorRows = own.map((error) => [`\`${error.name}\``, String(error.code), error.message, error.when]);
  return [
    `### \`${name}\``,
    `${summary} ${description}`,
    rightsOf(method),
    table(['parameter', '', 'default', ''], Object.entries(params.properties).map(parameterRow(params))),
    ...alternativesOf(params),
    'Result:',
    table(['member', '', ''], Object.entries(result.properties).map(memberRow(result))),
    ...(errorRows.length > 0
      ? [
          'Errors, besides [those of every method](api.md#errors):',
          table(['`data.code`', 'code', 'message', 'when'], errorRows),
        ]
      : []),
    ...examples.map((example) => {
      const request = { jsonrpc: '2.0', method: name, params: example.params, id: 1 };
      const reply = { jsonrpc: '2.0', result: example.result, id: 1 };
      return `Example, ${example.name}:\n\n\`\`\`json\n${JSON.stringify(request)}\n${JSON.stringify(reply)}\n\`\`\``;
    }),
  ].join('\n\n');
}

function rightsOf({ role, idempotent, callsPerMinute }: MethodDescription): string {
  const limit =
    callsPerMinute === undefined
      ? ''
      : ` At most ${callsPerMinute} calls a minute, unless the operator sets another limit.`;
  return `Needs the role \`${role}\`.${idempotent ? ' Safe to repeat.' : ''}${limit}`;
}

function parameterRow({ required }: ObjectSchema) {
  return ([name, schema]: [string, JsonSchema]) => {
    const shown = required.includes(name) ? `**\`${name}\`**` : `\`${name}\``;
    const value = schema.default === undefined ? '' : `\`${JSON.stringify(schema.default)}\``;
    return [shown, typeText(schema), value, schema.description ?? ''];
  };
}

function memberRow({ required }: ObjectSchema) {
  return ([name, schema]: [string, JsonSchema]) => [
    required.includes(name) ? `\`${name}\`` : `\`${name}\`, if it applies`,
    typeText(schema),
    schema.description ?? '',
  ];
}

/** What each value of \`type\` needs, if the params depend on it. */
function alternativesOf({ oneOf = [] }: ObjectSchema): string[] {
  const lines = oneOf.map(({ properties = {}, required = [] }) => {
    const needed = required.filter((name) => name !== 'type').map((name) => `\`${name}\``);
    const refused = Object.entries(properties).filter(([, { type, not }]) => type === 'null' || not !== undefined);
    const names = refused.map(([name]) => `\`${name}\``).join(' or ');
    return `- \`type: ${JSON.stringify(properties['type']?.const)}\` needs ${needed.join(', ')}, and takes no ${names}.`;
  });
  return lines.length > 0 ? [lines.join('\n')] : [];
}

function typeText({
  type,
  format,
  enum: words,
  minimum,
  maximum,
  maxLength,
  items,
  anyOf,
  const: only,
}: JsonSchema): string {
  if (only !== undefined) return `\`${JSON.stringify(only)}\``;
  if (words)
    return words
      .filter((word) => word !== null)
      .map((word) => `\`${JSON.stringify(word)}\``)
      .join(', ');
  if (format === 'date-time') return 'time';
  if (anyOf)
    return anyOf
      .filter((one) => one.type !== 'null')
      .map(typeText)
      .join('; or ');
  const [kind = 'any'] = [type ?? 'any'].flat().filter((one) => one !== 'null');
  if (kind === 'array') return `array of: ${items ? typeText(items) : 'any'}`;
  if (kind === 'integer') return `integer, ${range(minimum, maximum)}`;
  return maxLength === undefined ? kind : `${kind}, at most ${maxLength} characters`;
}

function range(minimum = 0, maximum = Number.MAX_SAFE_INTEGER): string {
  return maximum === Number.MAX_SAFE_INTEGER ? `≥ ${minimum}` : `${minimum}–${maximum}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
