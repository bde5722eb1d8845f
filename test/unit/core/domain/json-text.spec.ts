import fc from 'fast-check';
import { jsonElements, jsonMembers, JsonText } from '../../../../src/core/domain/json-text';
import { MAX_JSON_DEPTH } from '../../../../src/core/domain/limits';

const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

/** White space that means nothing between the tokens. */
const indents = fc.constantFrom(undefined, 1, 4, '\t', '\r\n ');

// Nothing here is compared with what JSON.parse returns: on Node 24 it mistakes one escaped key for another
// (https://github.com/nodejs/node/issues/63785).

describe('JsonText', () => {
  it.each([
    '{"2":1,"1":2}',
    '{"a":1,"a":2}',
    '1.0',
    '-0',
    '1E+2',
    '"\\u0041\\/\\ud800\\u0000"',
    '0.10000000000000000000001',
  ])('keeps the spelling of %s', (text) => expect(JsonText.fromValid(text).text).toBe(text));

  it('drops white space between tokens and none within strings', () => {
    expect(JsonText.fromValid(' { "a b" : [ 1 ,\n"\\" ," ] }\t').text).toBe('{"a b":[1,"\\" ,"]}');
  });

  it.each(['ä', 'é€', '😀\ud800'])('drops white space around %j, whatever its code units', (letters) => {
    const words = Array.from({ length: 1000 }, () => `"${letters} "`);
    expect(JsonText.fromValid(`[ ${words.join(' , ')} ]`).text).toBe(`[${words.join(',')}]`);
    expect(JsonText.fromValid(words[0] as string).text).toBe(words[0]);
  });

  it('means the same as its text, and is as compact as possible', () => {
    fc.assert(
      fc.property(fc.jsonValue(), indents, (value, indent) => {
        const compact = JsonText.fromValid(JSON.stringify(value, null, indent));
        expect(compact.text).toBe(JSON.stringify(value));
      }),
      { examples: [[{ a: { b: ['\\', '\\"'] } }, 1]] },
    );
  });

  it('counts UTF-8 bytes', () => expect(JsonText.fromValid('"é€😀"').sizeBytes).toBe(11));

  it.each([
    '0',
    '-0',
    '0.000',
    '0e400',
    '1e308',
    '5e-324',
    '0.1',
    '1e400',
    '-1e400',
    '1e-400',
    '9007199254740993',
    '-9007199254740993',
    '[{"a":123456789012345678901234567890}]',
    '9'.repeat(400),
  ])('accepts the number %s, and keeps its spelling', (text) => {
    const json = JsonText.fromValid(text);
    expect([json.problem(), json.text]).toEqual([undefined, text]);
  });

  it('accepts values as deep as the limit and none deeper', () => {
    expect(JsonText.fromValid(nested(MAX_JSON_DEPTH)).problem()).toBeUndefined();
    expect(JsonText.fromValid(nested(MAX_JSON_DEPTH + 1)).problem()).toMatch(/deep/);
    expect(JsonText.fromValid(nested(500_000)).problem()).toMatch(/deep/);
  });

  it.each([
    ['{}', 0],
    ['{"a":1}', 1],
    ['{"a":{"b":[1,{"c":2}]},"d":"{,\\"","a":null}', 3],
  ])('knows whether %s has more members than so many', (text, count) => {
    const object = JsonText.fromValid(text);
    expect([object.hasMoreMembersThan(count - 1), object.hasMoreMembersThan(count)]).toEqual([count > 0, false]);
  });

  it('merges one object into another, in the order in which the names first came', () => {
    const merged = JsonText.fromValid('{"b":1,"2":2,"a":1.0}').merge(JsonText.fromValid('{"1":0,"b":{"x":[]}}'));
    expect(merged.text).toBe('{"b":{"x":[]},"2":2,"a":1.0,"1":0}');
  });

  it('removes the members that are null in what is merged into it, and no others', () => {
    const merged = JsonText.fromValid('{"a":null,"b":1,"c":2}').merge(JsonText.fromValid('{"b":null,"d":null,"c":3}'));
    expect(merged.text).toBe('{"a":null,"c":3}');
  });

  it('merges any object into any other as a map is merged into another one', () => {
    // Few names, so that they often meet; some of them can be spelled in two ways.
    const name = fc.constantFrom('"a"', '"\\u0061"', '"b"', '"\\""', '"\\\\"', '"é"', '"1"', '""');
    const value = fc.constantFrom('null', '1.0', '"x,}"', '{"a":[1,2]}', '[]', 'false');
    const object = fc.array(fc.tuple(name, value), { maxLength: 12 });
    const text = (members: [string, string][]) => `{${members.map((one) => one.join(':')).join(',')}}`;
    fc.assert(
      fc.property(object, object, (before, given) => {
        const expected = new Map(before.map(([key, one]) => [JSON.parse(key) as string, one]));
        for (const [key, one] of given.map(([key, one]) => [JSON.parse(key) as string, one] as const)) {
          expected.delete(key);
          expected.set(key, one);
        }
        for (const [key] of given) {
          const one = JSON.parse(key) as string;
          if (expected.get(one) === 'null') expected.delete(one);
        }
        const merged = JsonText.fromValid(text(before)).merge(JsonText.fromValid(text(given)));
        const found = [...merged.members()].map(([key, one]) => [key, one.text]);
        expect(new Map(found as [string, string][])).toEqual(expected);
        expect(() => void JSON.parse(merged.text)).not.toThrow();
      }),
      { numRuns: 500 },
    );
  });

  it('keeps a member named __proto__ a member', () => {
    const merged = JsonText.fromValid('{"__proto__":{"polluted":true}}').merge(JsonText.EMPTY_OBJECT);
    expect(merged.text).toBe('{"__proto__":{"polluted":true}}');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('jsonMembers and jsonElements', () => {
  it('cut any object into the texts of its members', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()),
        fc.constantFrom(undefined, 2),
        (object, indent) => {
          const members = jsonMembers(JSON.stringify(object, null, indent));
          const expected = Object.entries(object).map(([name, value]) => [name, JSON.stringify(value)]);
          expect([...members].map(([name, text]) => [name, JsonText.fromValid(text).text])).toEqual(expected);
        },
      ),
    );
  });

  it('cut any array into the texts of its elements', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.constantFrom(undefined, 2), (array, indent) => {
        const elements = jsonElements(JSON.stringify(array, null, indent));
        expect(elements.map((text) => JsonText.fromValid(text).text)).toEqual(
          array.map((element) => JSON.stringify(element)),
        );
      }),
    );
  });

  it('let the last of several members of one name count', () => {
    expect([...jsonMembers('{"a":1,"b":2,"a":3}')]).toEqual([
      ['a', '3'],
      ['b', '2'],
    ]);
  });
});
