import fc from 'fast-check';
import { CoreSettings } from '../../../../src/core/ports/core-settings';
import { bindParams } from '../../../../src/inbound/methods/bind-params';
import type { JsonSchema, ObjectSchema } from '../../../../src/inbound/methods/json-schema';
import { METHODS } from '../../../../src/inbound/methods/method-descriptions';
import { rpcMethod } from '../../../../src/inbound/methods/rpc-method';
import type { RawParams } from '../../../../src/inbound/json-rpc/raw-params';
import { readParams } from '../../../../src/inbound/json-rpc/read-call';
import { schemaValidator } from '../../../support/schema-validator';

const SEED = 4711;
const RUNS = 10_000;
const MAX_ATTACHMENT_BYTES = 200;
const SETTINGS = new CoreSettings('replica-1', MAX_ATTACHMENT_BYTES, 1000);

type Values = Record<string, unknown>;

/** What validator and schema say of the same params, as they come in a message. */
function verdicts(method: string, isValid: (params: unknown) => boolean, params: unknown) {
  const text = JSON.stringify(params);
  const raw = readParams(JSON.parse(text), () => text) as RawParams;
  const declared = rpcMethod(method)!.params;
  const { problems } = bindParams(declared, raw, SETTINGS);
  return { validator: problems.length === 0, schema: isValid(raw.values), problems };
}

const nested = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown;
const STRINGS = [
  ...['', 'k', 't-1', 'order-4711', 'a b', 'a:b', '-0', '~', 'a\n', 'a\u0000', 'a\u0085', '\ud800', 'x\udc00y', 'é€😀'],
  ...[100, 101, 127, 128, 129, 198, 199, 200, 201, 500, 501].flatMap((length) => [
    'a'.repeat(length),
    '😀'.repeat(length),
  ]),
  ...[
    'http://a',
    'HTTPS://Example.com/x?y#z',
    'ftp://a',
    'http:a',
    'http://u:p@a',
    'http://@a',
    ' http://a',
    'http://a b',
  ],
  ...['http://a\u0000', 'http://exa mple', 'http://[::1]/', 'http://a/\ud800', `http://a/${'b'.repeat(2039)}`],
  ...[`http://a/${'b'.repeat(2040)}`, `http://a/${'😀'.repeat(1100)}`, 'https:/\\a@b', 'http://a/@b', '//a', 'http://'],
  ...[
    'application/pdf',
    'text/plain; charset=utf-8',
    'a/b',
    'a/',
    '/b',
    'a/b/c',
    `a/${'b'.repeat(125)}`,
    'é/b',
    '+a/b',
  ],
  `a/${'b'.repeat(126)}`,
];
const NUMBERS = [0, 1, -1, 2, 50, 99, 100, 101, 1000, 1001, 0.5, 1e308, 2 ** 53 - 1, 2 ** 53, 3153600000, 3153600001];
const OTHERS = [true, false, null, [], {}, [1], { a: null }, [[]], nested(64), nested(65), { a: nested(63) }];
const UNKNOWN_NAMES = ['oops', 'taskID', 'constructor', 'toString', '', '0'];

function validOf(schema: JsonSchema): readonly unknown[] {
  const isValid = schemaValidator(schema, { maxAttachmentBytes: MAX_ATTACHMENT_BYTES });
  return [...STRINGS, ...NUMBERS, ...OTHERS, ...(schema.enum ?? [])].filter((value) => isValid(value));
}

/** More of them are valid than chance would make; which ones are, is not asked here. */
function valueOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  const anyValue = fc.oneof(
    fc.constantFrom<unknown>(...STRINGS),
    fc.constantFrom<unknown>(...NUMBERS),
    fc.constantFrom<unknown>(...OTHERS),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const valid = validOf(schema);
  const structured = structuredOf(schema);
  return fc.oneof(
    { weight: 6, arbitrary: valid.length > 0 ? fc.constantFrom(...valid) : anyValue },
    { weight: structured ? 8 : 0, arbitrary: structured ?? anyValue },
    { weight: 3, arbitrary: anyValue },
  );
}

/** Arrays and objects whose elements and members are chosen by their own schemas. */
function structuredOf({ type, properties, items, anyOf }: JsonSchema): fc.Arbitrary<unknown> | undefined {
  const array = items ?? anyOf?.find((one) => one.items)?.items;
  if (array) {
    const element = valueOf(array);
    const long = element.chain((one) => fc.constantFrom(100, 101).map((length) => Array.from({ length }, () => one)));
    const tooOften = fc.array(element, { maxLength: 3 }).map((some) => [...some, ...some]);
    return fc.oneof(
      { weight: 6, arbitrary: fc.array(element, { minLength: 1, maxLength: 4 }) },
      { weight: 1, arbitrary: tooOften },
      { weight: 1, arbitrary: long },
    );
  }
  if (type !== 'object' || !properties) return undefined;
  const valid = Object.entries(properties).map(([name, schema]) => [name, validOf(schema)[0]]);
  return objectLike({ properties } as ObjectSchema, [{}, Object.fromEntries(valid) as Values]);
}

function objectLike({ properties }: ObjectSchema, starts: readonly Values[]): fc.Arbitrary<Values> {
  const members = Object.entries(properties).map(([name, schema]) => [name, valueOf(schema)] as const);
  const changes = fc
    .tuple(fc.integer({ min: 0, max: 3 }), fc.array(fc.nat(), { minLength: 3, maxLength: 3 }))
    .chain(([count, choices]) => {
      const chosen = choices.slice(0, count).flatMap((choice) => members.slice(choice % members.length).slice(0, 1));
      return fc.record(Object.fromEntries(chosen));
    });
  const removed = fc.oneof(
    { weight: 9, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom(undefined, ...Object.keys(properties)) },
  );
  const added = fc.oneof(
    { weight: 14, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: fc.constantFrom(...UNKNOWN_NAMES).map((name) => ({ [name]: 1 })) },
    { weight: 1, arbitrary: fc.constant(JSON.parse('{"__proto__":1}') as Values) },
  );
  return fc.tuple(fc.constantFrom(...starts), changes, removed, added).map(([start, changed, gone, more]) => {
    const params: Values = { ...start, ...changed };
    for (const [name, value] of Object.entries(more)) Object.defineProperty(params, name, { value, enumerable: true });
    if (gone !== undefined) delete params[gone];
    return params;
  });
}

/** Params from which others are made by a few changes. */
const STARTS: Readonly<Record<string, readonly Values[]>> = {
  'task.create_attachment': [
    { type: 'json', value: null },
    { type: 'text', content: '' },
    { type: 'url', url: 'https://a.example/b' },
    { type: 'binary', mimeType: 'application/pdf' },
    { type: 'binary', mimeType: 'application/pdf', url: 'https://a.example/b', content: null },
    { type: 'text', content: 'x', ifAbsent: true },
    { type: 'text', content: 'x', ifVersion: 1, ifAbsent: false },
  ].map((members) => ({ taskId: 't-1', key: 'k', ...members })),
  'task.get': [{ id: 't-1', taskId: 't-1' }, { taskId: 't-1' }, { id: null, taskId: 't-1' }, { taskId: null }],
  'task.create': [
    { text: 'x', id: 't-1', taskId: 't-1' },
    { text: 'x', taskId: 't-1' },
  ],
  'task.update': [
    { taskId: 't-1', updates: { text: 'x' } },
    { id: 't-1', updates: { status: null } },
  ],
};

describe('the schema of the params', () => {
  it.each(METHODS.map((method) => [method.name, method] as const))(
    'of %s refuses and takes what the validator does',
    (name, { params: schema, examples }) => {
      const isValid = schemaValidator(schema, { maxAttachmentBytes: MAX_ATTACHMENT_BYTES });
      const starts = [...examples.map(({ params }) => params), ...(STARTS[name] ?? [])];
      const object = objectLike(schema, starts);
      const message = fc.oneof(
        { weight: 30, arbitrary: object },
        { weight: 2, arbitrary: object.map((params) => [params]) },
        { weight: 1, arbitrary: fc.array(object, { maxLength: 2 }) },
        { weight: 1, arbitrary: fc.constantFrom<unknown>(null, [], [1], ['t-1', 'k']) },
      );
      let taken = 0;
      fc.assert(
        fc.property(message, (params) => {
          const { validator, schema: allowed, problems } = verdicts(name, isValid, params);
          if (validator) taken += 1;
          if (validator !== allowed) throw new Error(JSON.stringify({ problems, allowed, errors: isValid.errors }));
        }),
        { numRuns: RUNS, seed: SEED },
      );
      expect(taken).toBeGreaterThan(RUNS / 10);
      expect(taken).toBeLessThan((RUNS * 9) / 10);
    },
  );

  it.each(METHODS.map((method) => [method.name, method] as const))(
    'of %s says of every member what it is for',
    (_, { params }) => {
      const silent = (schema: JsonSchema): string[] =>
        Object.entries(schema.properties ?? {}).flatMap(([name, member]) => [
          ...(member.description === undefined ? [name] : []),
          ...silent(member.items ?? member),
        ]);
      expect(silent(params)).toEqual([]);
    },
  );

  it('the examples of every method are valid', () => {
    for (const { name, params, examples } of METHODS) {
      const isValid = schemaValidator(params);
      for (const example of examples)
        expect([name, isValid(example.params), isValid.errors]).toEqual([name, true, null]);
    }
  });
});
