import fc from 'fast-check';
import { outline, outlinedText } from '../../../../src/inbound/json-rpc/json-outline';
import { completed } from '../../../../src/inbound/json-rpc/json-scanner';

const PARSE_ERROR = expect.objectContaining({ code: -32700 }) as Error;
const TOO_MANY = expect.objectContaining({
  code: -32600,
  data: { code: 'INVALID_REQUEST', reason: 'the message has too many arrays, objects and names' },
}) as Error;
const KIB = 1024;

const read = (text: string) => completed(outline(text));

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isRead(text: string): boolean {
  try {
    read(text);
    return true;
  } catch (error) {
    expect(error).toEqual(PARSE_ERROR);
    return false;
  }
}

/** JSON with a few characters changed: what a parser might let through. */
const nearlyJson = fc
  .tuple(
    fc.jsonValue().map((value) => JSON.stringify(value)),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'[]{}:,"\\u01.eE+- \t\n\u00a0\ufeff\u0000tfn'), fc.boolean()), {
      maxLength: 3,
    }),
  )
  .map(([text, edits]) =>
    edits.reduce((edited, [place, character, replaces]) => {
      const at = place % (edited.length + 1);
      return edited.slice(0, at) + character + edited.slice(replaces ? at + 1 : at);
    }, text),
  );

describe('outline', () => {
  it('accepts exactly what JSON.parse accepts', () => {
    fc.assert(
      fc.property(nearlyJson, (text) => {
        expect(isRead(text)).toBe(isJson(text));
      }),
      { numRuns: 3000 },
    );
  });

  it.each(
    [
      ...[
        '',
        ' ',
        '[',
        ']',
        '{',
        '}',
        '[1,]',
        '[,1]',
        '[1 2]',
        '{"a":1,}',
        '{"a"}',
        '{"a":}',
        '{a:1}',
        '{"a" 1}',
        '[}',
        '{]',
      ],
      ...['01', '-', '-01', '1.', '.1', '1e', '1e+', '+1', '0x1', 'NaN', 'Infinity', '-Infinity', '1_000', '१'],
      ...['0', '-0', '1.50', '1e400', '-1E-400', '0.0e00', '1e05', '9'.repeat(1000)],
      ...['"', '"\\"', '"\\x"', '"\\u12"', '"\\u123g"', '"\\u00e4\\ud800"', '"\t"', '"\u007f\u2028"', '"\\\\"', "'a'"],
      ...[
        'tru',
        'truefalse',
        'True',
        'null',
        'nul',
        'undefined',
        '\ufeff1',
        '\u00a01',
        '\v1',
        ' \t\r\n1\n',
        '1//',
        '[1]]',
        '{}{}',
      ],
    ].map((text) => [text]),
  )('takes %j as JSON.parse takes it', (text) => {
    expect(isRead(text)).toBe(isJson(text));
    for (const around of [`[${text}]`, `{"a":${text}}`]) expect(isRead(around)).toBe(isJson(around));
  });

  it('gives the same members, elements and texts', () => {
    const member = fc.jsonValue().map((value) => JSON.stringify(value, null, 1));
    const object = fc
      .array(
        fc.tuple(
          fc.oneof(fc.constantFrom('a', '2', '1', '__proto__', 'toString', '\\u0061'), fc.nat().map(String)),
          member,
        ),
      )
      .map((members) => ({ members, text: `{${members.map(([name, text]) => ` "${name}" : ${text} `).join(',')}}` }));
    fc.assert(
      fc.property(object, ({ members, text }) => {
        const outlined = read(text) as object;
        expect(Object.entries(outlined)).toEqual(Object.entries(JSON.parse(text) as object));
        for (const [name, memberText] of new Map(
          members.map(([name, text]) => [JSON.parse(`"${name}"`) as string, text]),
        )) {
          expect(outlinedText(outlined, name)).toBe(memberText);
        }
        expect(Object.getPrototypeOf(outlined)).toBe(Object.prototype);
      }),
    );
  });

  it('outlines params in calls of a batch, and params in an array', () => {
    const [call, word, list] = read('[ {"params": [ {"a" : 1.0 } ]}, "x", [1] ]') as [{ params: object[] }, null, null];
    expect([word, list]).toEqual([null, null]);
    expect(call.params).toEqual([{ a: 1 }]);
    expect(outlinedText(call, 'params')).toBe('[ {"a" : 1.0 } ]');
    expect(outlinedText(call.params[0] as object, 'a')).toBe('1.0');
  });

  it('parses no value that is not looked at', () => {
    const parse = jest.spyOn(JSON, 'parse');
    const value = `[${'{"a":1},'.repeat(100_000)}{}]`;
    const message = read(`{"jsonrpc":"2.0","params":{"value":${value},"key":"k"}}`) as {
      params: Record<string, unknown>;
    };
    expect(message.params['key']).toBe('k');
    expect(outlinedText(message.params, 'value')).toBe(value);
    const longest = Math.max(...parse.mock.calls.map(([text]) => text.length));
    parse.mockRestore();
    expect(longest).toBeLessThan(10);
  });

  it('reads a large object or array that is looked at in the same way', () => {
    const [objects, words] = [
      Array.from({ length: 500 }, (_, i) => ({ taskId: `t-${i}`, key: 'k' })),
      Array(2000).fill('x'),
    ];
    const message = read(JSON.stringify({ params: { objects, words, nested: { objects } } })) as {
      params: { objects: object[]; words: unknown[]; nested: { objects: object[] } };
    };
    expect(message.params.objects).toEqual(objects);
    expect(message.params.nested.objects).toEqual(objects);
    expect(message.params.words).toHaveLength(2000);
  });

  it('an id or a method that is large and no scalar is no scalar', () => {
    const large = `[${'1,'.repeat(5000)}1]`;
    expect(read(`{"id":${large},"method":{"a":${large}}}`)).toEqual({ id: {}, method: {} });
  });

  it.each([
    ['names in params', `{"params":{${Array.from({ length: 1001 }, (_, i) => `"${i}":1`).join(',')}}}`],
    ['calls', `[${'{},'.repeat(20_000)}1]`],
    ['names in calls', `[${'{"a":1,"b":2,"c":3},'.repeat(12_000)}1]`],
    ['elements of a batch', `[${'1,'.repeat(300_000)}1]`],
    [
      'names in nested params',
      `{"params":{"updates":{${Array.from({ length: 1001 }, (_, i) => `"${i}":1`).join(',')}}}}`,
    ],
    ['objects in a list of params', `{"params":{"updates":[${'{"a":1,"b":2},'.repeat(600)}{}]}}`],
    ['bytes to look into', `{"params":{"updates":[${' '.repeat(1024 * KIB)}]}}`],
  ])('refuses too many %s', (_, text) => {
    const look = () => (read(text) as { params?: { updates?: unknown } }).params?.updates;
    expect(look).toThrow(TOO_MANY);
  });

  it('takes steps of at most a small part of a large message', () => {
    const text = `{"params":{"value":[${'{},'.repeat(500_000)}{}]}}`;
    const steps = outline(text);
    let count = 1;
    while (!steps.next().done) count += 1;
    expect(count).toBeGreaterThan(text.length / (200 * KIB));
  });
});
