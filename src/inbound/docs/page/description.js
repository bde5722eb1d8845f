/**
 * JSON Schema, as far as the service uses it.
 *
 * @typedef {{
 *   readonly $ref?: string, readonly title?: string, readonly description?: string, readonly type?: string | string[],
 *   readonly const?: unknown, readonly enum?: unknown[], readonly default?: unknown, readonly format?: string,
 *   readonly pattern?: string, readonly minLength?: number, readonly maxLength?: number, readonly minimum?: number,
 *   readonly maximum?: number, readonly items?: Schema, readonly minItems?: number, readonly maxItems?: number,
 *   readonly uniqueItems?: boolean, readonly properties?: Readonly<Record<string, Schema>>, readonly required?: string[],
 *   readonly anyOf?: Schema[], readonly oneOf?: Schema[], readonly not?: Schema, readonly 'x-maxBytes'?: number | string,
 *   readonly 'x-maxJsonBytes'?: number | string, readonly 'x-maxDepth'?: number, readonly 'x-equal'?: string[],
 *   readonly 'x-null'?: string,
 * }} Schema
 *
 * @typedef {{ readonly word: string, readonly code: number, readonly message: string, readonly when: string,
 *   readonly retryable: boolean, readonly data: Schema }} ErrorFacts
 *
 * @typedef {{ readonly name: string, readonly value: unknown }} Named
 *
 * @typedef {{
 *   readonly name: string, readonly summary: string, readonly description: string, readonly tags: { name: string }[],
 *   readonly result: { readonly name: string, readonly schema: Schema },
 *   readonly errors: { code: number, message: string, data: { code: string } }[],
 *   readonly examples: { name: string, params: Named[], result: Named }[],
 *   readonly 'x-paramsSchema': Schema, readonly 'x-role': string, readonly 'x-readOnly': boolean,
 *   readonly 'x-idempotent': boolean, readonly 'x-callsPerMinute'?: number,
 * }} Method
 *
 * @typedef {{
 *   readonly info: { readonly version: string }, readonly methods: Method[],
 *   readonly components: { readonly schemas: Readonly<Record<string, Schema>> },
 *   readonly 'x-errors': Readonly<Record<string, Omit<ErrorFacts, 'word'>>>,
 *   readonly 'x-limits': Readonly<Record<string, number>>, readonly 'x-needsCredential': boolean,
 *   readonly 'x-nats'?: { readonly subjectPrefix: string },
 * }} OpenRpc
 */

/** What the service says of itself in `/openrpc.json`. */
export class Description {
  /** @param {OpenRpc} document */
  constructor(document) {
    this.document = document;
    const words = document.methods.map(({ errors }) => new Set(errors.map(({ data }) => data.code)));
    /** Of the errors that every method may return. */
    this.commonWords = [...(words[0] ?? [])].filter((word) => words.every((others) => others.has(word)));
  }

  static async load() {
    const response = await fetch(urlOf('openrpc.json'));
    if (!response.ok) throw new Error(`/openrpc.json has the status ${response.status}`);
    return new Description(await response.json());
  }

  get version() {
    return this.document.info.version;
  }

  get methods() {
    return this.document.methods;
  }

  /** Groups of methods, in the order of the document. */
  get groups() {
    const names = [...new Set(this.methods.map(groupOf))];
    return names.map((name) => ({ name, methods: this.methods.filter((method) => groupOf(method) === name) }));
  }

  get needsCredential() {
    return this.document['x-needsCredential'];
  }

  get hasNats() {
    return this.document['x-nats'] !== undefined;
  }

  /** @param {string} name */
  method(name) {
    return this.methods.find((method) => method.name === name);
  }

  /**
   * The NATS subject of a method.
   *
   * @param {string} name
   */
  subjectOf(name) {
    return `${this.document['x-nats']?.subjectPrefix ?? ''}${name}`;
  }

  /**
   * A schema in the place of a reference to it.
   *
   * @param {Schema} schema
   * @returns {Schema}
   */
  resolve(schema) {
    if (schema.$ref === undefined) return schema;
    return this.document.components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {};
  }

  /** @param {Method} method */
  paramsOf(method) {
    return this.resolve(method['x-paramsSchema']);
  }

  /**
   * A limit in bytes, which may have a name.
   *
   * @param {number | string} limit
   */
  bytesOf(limit) {
    return typeof limit === 'number' ? limit : this.document['x-limits'][limit];
  }

  /** @returns {ErrorFacts[]} */
  get errors() {
    return Object.entries(this.document['x-errors']).map(([word, facts]) => ({ word, ...facts }));
  }

  /**
   * Errors of this method and not of every method.
   *
   * @param {Method} method
   */
  ownErrorsOf(method) {
    return method.errors.map(this.errorOf, this).filter(({ word }) => !this.commonWords.includes(word));
  }

  /** @param {Method} method */
  commonErrorsOf(method) {
    return method.errors.map(this.errorOf, this).filter(({ word }) => this.commonWords.includes(word));
  }

  /**
   * @param {Method['errors'][number]} error
   * @returns {ErrorFacts}
   */
  errorOf({ code, message, data }) {
    const facts = this.document['x-errors'][data.code];
    return { when: '', retryable: false, data: {}, ...facts, word: data.code, code, message };
  }
}

/** @param {Method} method */
export function groupOf(method) {
  return method.tags[0]?.name ?? '';
}

/**
 * Beside this page, also behind a proxy that serves it below another path.
 *
 * @param {string} path
 */
export function urlOf(path) {
  return new URL(path, document.baseURI);
}

/**
 * Whether a call without this member is refused. Members that must be equal stand for each other; the first one is
 * asked for.
 *
 * @param {Schema} schema
 * @param {string} name
 */
export function isNeeded(schema, name) {
  if (schema.required?.includes(name)) return true;
  const equal = schema['x-equal'] ?? [];
  const alternatives = schema.anyOf ?? [];
  return equal[0] === name && alternatives.length > 0 && alternatives.every((one) => needsOneOf(one, equal));
}

/**
 * @param {Schema} alternative
 * @param {readonly string[]} names
 */
function needsOneOf({ required = [] }, names) {
  return required.some((name) => names.includes(name));
}
