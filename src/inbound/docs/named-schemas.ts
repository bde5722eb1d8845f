import type { JsonSchema } from '../methods/json-schema';

/** A schema in which each titled schema is a reference. */
export type ReferringSchema = Readonly<Record<string, unknown>>;

const HOLDERS_OF_ONE: readonly string[] = ['items', 'not', 'additionalProperties'];
const HOLDERS_OF_SEVERAL: readonly string[] = ['anyOf', 'oneOf', 'allOf'];

/** The schemas of one document that have a title: they stand below `#/components/schemas`, each of them once. */
export class NamedSchemas {
  private readonly named = new Map<string, ReferringSchema>();

  get all(): Readonly<Record<string, ReferringSchema>> {
    return Object.fromEntries([...this.named].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** A reference if the schema has a title, else the schema with references in it. */
  refer(schema: JsonSchema): ReferringSchema {
    const { title } = schema;
    if (title === undefined) return this.referWithin(schema);
    const referring = this.referWithin(schema);
    const known = this.named.get(title);
    if (known && JSON.stringify(known) !== JSON.stringify(referring))
      throw new Error(`two schemas have the title ${title}`);
    this.named.set(title, referring);
    return { $ref: `#/components/schemas/${title}` };
  }

  private referWithin(schema: JsonSchema): ReferringSchema {
    return Object.fromEntries(
      Object.entries(schema).map(([keyword, value]) => [keyword, this.valueOf(keyword, value)]),
    );
  }

  private valueOf(keyword: string, value: unknown): unknown {
    if (keyword === 'properties') {
      const members = Object.entries(value as Readonly<Record<string, JsonSchema>>);
      return Object.fromEntries(members.map(([name, member]) => [name, this.refer(member)]));
    }
    if (HOLDERS_OF_SEVERAL.includes(keyword)) return (value as JsonSchema[]).map((one) => this.refer(one));
    return HOLDERS_OF_ONE.includes(keyword) && typeof value === 'object' ? this.refer(value as JsonSchema) : value;
  }
}
