import type { JsonSchema, ObjectSchema } from '../methods/json-schema';

type Properties = ObjectSchema['properties'];

const PRINT_WIDTH = 120;

/** The TypeScript type of a schema; a schema with a title is named by it. `indent` is that of the line. */
export function typeOf(schema: JsonSchema, indent = ''): string {
  return typesOf(schema, indent).join(' | ');
}

/** The declaration of a schema with a title. */
export function declarationOf(schema: ObjectSchema): string {
  const { title, oneOf, anyOf, properties, required } = schema;
  const alternatives = oneOf ?? anyOf;
  // An interface without members would take anything.
  if (Object.keys(properties).length === 0) return `export type ${title} = Readonly<Record<string, never>>;\n`;
  if (!alternatives) return `export interface ${title} ${objectOf(properties, required, '')}\n`;
  const varying = new Set(
    alternatives.flatMap((one) => [...Object.keys(one.properties ?? {}), ...(one.required ?? [])]),
  );
  const fixed = Object.entries(properties).filter(([name]) => !varying.has(name));
  const union = alternatives.map((one) => `\n  | ${alternativeOf(schema, one, [...varying])}`).join('');
  if (fixed.length === 0) return `export type ${title} =${union};\n`;
  return `export type ${title} = ${objectOf(Object.fromEntries(fixed), required, '')} & (${union}\n);\n`;
}

/** A comment, in lines that fit. */
export function comment(text: string, indent: string): string {
  const line = `${indent}/** ${text} */\n`;
  if (line.length <= PRINT_WIDTH) return line;
  const width = PRINT_WIDTH - indent.length - ' * '.length;
  const lines = text.split(' ').reduce<string[]>((done, word) => {
    const last = done.at(-1);
    return last === undefined || last.length + 1 + word.length > width
      ? [...done, word]
      : [...done.slice(0, -1), `${last} ${word}`];
  }, []);
  return `${indent}/**\n${lines.map((one) => `${indent} * ${one}\n`).join('')}${indent} */\n`;
}

/** A declaration whose type is a union, as prettier would print it. */
export function unionOf(head: string, types: readonly string[], indent = ''): string {
  const line = `${indent}${head} ${types.join(' | ')};`;
  if (types.length === 1 || line.length <= PRINT_WIDTH) return `${line}\n`;
  return `${indent}${head}${types.map((type) => `\n${indent}  | ${type}`).join('')};\n`;
}

function typesOf(schema: JsonSchema, indent: string): readonly string[] {
  const { title, const: only, enum: words, anyOf, type, items, properties, required = [] } = schema;
  if (title !== undefined) return [title];
  if (only !== undefined) return [literal(only)];
  if (words) return words.map(literal);
  if (anyOf) return anyOf.flatMap((one) => typesOf(one, indent));
  if (type === undefined) return ['unknown'];
  return [type].flat().map((one) => {
    if (one === 'array') return arrayOf(items ? typeOf(items, indent) : 'unknown');
    if (one === 'object')
      return properties ? objectOf(properties, required, indent) : 'Readonly<Record<string, unknown>>';
    return one === 'integer' ? 'number' : one;
  });
}

function arrayOf(element: string): string {
  return `readonly ${element.includes(' | ') ? `(${element})` : element}[]`;
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
}

function objectOf(properties: Properties, required: readonly string[], indent: string): string {
  const inner = `${indent}  `;
  const members = Object.entries(properties).map(([name, schema]) => {
    const { description, default: value } = schema;
    const about = [description, value === undefined ? undefined : `Default: \`${JSON.stringify(value)}\`.`];
    const text = about.filter((part) => part !== undefined).join(' ');
    const isOptional = !required.includes(name);
    return (text === '' ? '' : comment(text, inner)) + memberOf(name, isOptional, typesOf(schema, inner), inner);
  });
  return `{\n${members.join('')}${indent}}`;
}

/** What one alternative of an object says of the members that depend on it. */
function alternativeOf(
  { properties, required }: ObjectSchema,
  { properties: own = {}, required: needed = [] }: JsonSchema,
  varying: readonly string[],
): string {
  const indent = '    ';
  const members = varying.map((name) => {
    const schema = own[name] ?? properties[name] ?? {};
    const isRefused = schema.not !== undefined && Object.keys(schema.not).length === 0;
    const types = isRefused ? ['never'] : typesOf(schema, indent);
    return memberOf(name, ![...required, ...needed].includes(name), types, `${indent}  `);
  });
  return `{\n${members.join('')}${indent}}`;
}

function memberOf(name: string, isOptional: boolean, types: readonly string[], indent: string): string {
  return unionOf(`readonly ${name}${isOptional ? '?' : ''}:`, types, indent);
}
