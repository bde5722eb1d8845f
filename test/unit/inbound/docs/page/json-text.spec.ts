import * as fc from 'fast-check';

interface JsonText {
  readonly minified: (text: string) => string;
  readonly indented: (text: string) => string;
  readonly partsOf: (text: string) => readonly { readonly name?: string; readonly text: string }[];
}

const { minified, indented, partsOf } = jest.requireActual<JsonText>(
  '../../../../../src/inbound/docs/page/json-text.js',
);

const SEED = 4711;

describe('JSON as text', () => {
  it('is the same value with and without line breaks, and is indented as usual', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        const spaced = JSON.stringify(value, undefined, 2);
        expect([minified(spaced), indented(text)]).toEqual([text, spaced]);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('keeps the spelling of numbers, repeated members, and the order of all', () => {
    const text = '{"2":1.0,"1":12345678901234567890,"a":-0,"a":"\\u00fc\\\\\\""}';
    expect(minified(indented(text))).toBe(text);
    expect(partsOf(text)).toEqual([
      { name: '2', text: '1.0' },
      { name: '1', text: '12345678901234567890' },
      { name: 'a', text: '-0' },
      { name: 'a', text: '"\\u00fc\\\\\\""' },
    ]);
  });

  it('is divided into parts that make it again', () => {
    expect(partsOf('[]')).toEqual([]);
    expect(partsOf('[ [1, {"a": []}], "x,y" ]')).toEqual([{ text: '[1,{"a":[]}]' }, { text: '"x,y"' }]);
  });

  it('may have a string of several MiB', () => {
    const text = JSON.stringify({ long: '\\"'.repeat(2 ** 20) });
    expect(minified(indented(text))).toBe(text);
  });
});
