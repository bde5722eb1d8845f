import { outlinedText } from '../../../../src/inbound/json-rpc/json-outline';
import { completed } from '../../../../src/inbound/json-rpc/json-scanner';
import { parseMessage } from '../../../../src/inbound/json-rpc/parse-message';

const MIB = 1024 * 1024;

const parse = (text: string) => completed(parseMessage(text));

/** What takes longest to parse, as often as it fits into `bytes`. */
const filled = (element: string, bytes: number) =>
  `[${`${element},`.repeat(bytes / (element.length + 1) - 1)}${element}]`;

describe('parseMessage', () => {
  it.each([
    ['arrays', filled('[]', MIB)],
    ['objects', filled('{}', MIB)],
    ['names', filled('{"":0}', MIB)],
    ['objects in objects', filled('{"":'.repeat(60) + '0' + '}'.repeat(60), MIB)],
    ['objects with names of their own', `[${Array.from({ length: 90_000 }, (_, i) => `{"${i}":1}`).join(',')}]`],
    ['names of one object', `{${Array.from({ length: 90_000 }, (_, i) => `"k${i}":1`).join(',')}}`],
    ['arrays in arrays', '['.repeat(4_000_000) + ']'.repeat(4_000_000)],
    ['numbers', filled('1', 8 * MIB)],
    ['strings', filled('"[{:"', MIB)],
    ['strings with quotes', filled('"\\"[{:\\\\"', MIB)],
    ['the longest string', JSON.stringify('['.repeat(8 * MIB))],
  ])('reads a value of %s that is as large as an attachment may be, without parsing it', (_, value) => {
    const parsing = jest.spyOn(JSON, 'parse');
    const { params } = parse(`{"params":{"key":"k","value":${value}}}`) as { params: Record<string, unknown> };
    expect([params['key'], outlinedText(params, 'value')]).toEqual(['k', value]);
    expect(parsing.mock.calls.every(([text]) => text.length < 10)).toBe(true);
    parsing.mockRestore();
  });

  it.each(['{', '"', `${'['.repeat(20_000)}`, `"${'\\'.repeat(20_001)}"`, `{"a":${'1'.repeat(20_000)}.}`])(
    'refuses what is not JSON',
    (text) => {
      expect(() => parse(text)).toThrow(expect.objectContaining({ code: -32700 }) as Error);
    },
  );
});
