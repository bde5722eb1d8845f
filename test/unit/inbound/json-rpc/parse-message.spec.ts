import { jsonCost } from '../../../../src/inbound/json-rpc/json-cost';
import { parseMessage } from '../../../../src/inbound/json-rpc/parse-message';

const MIB = 1024 * 1024;
const tooMany = expect.objectContaining({
  code: -32600,
  data: { code: 'INVALID_REQUEST', reason: 'the message has too many arrays, objects and names' },
}) as Error;

/** What takes longest to parse, as often as it fits into `bytes`. */
const filled = (element: string, bytes: number) =>
  `[${`${element},`.repeat(bytes / (element.length + 1) - 1)}${element}]`;

describe('parseMessage', () => {
  it.each([
    ['arrays', '[]'],
    ['objects', '{}'],
    ['names', '{"":0}'],
    ['numbers', '1'],
    ['strings', '"[{:"'],
    ['strings with quotes', '"\\"[{:\\\\"'],
  ])('reads a value of %s that is as large as an attachment may be', (_, element) => {
    const text = filled(element, MIB);
    expect(parseMessage(text)).toHaveLength(text.split(',').length);
  });

  it.each([
    ['arrays', filled('[]', 8 * MIB)],
    ['arrays in arrays', '['.repeat(4_000_000) + ']'.repeat(4_000_000)],
    ['objects', filled('{}', 8 * MIB)],
    ['names', `{${Array.from({ length: 500_000 }, (_, i) => `"k${i}":1`).join(',')}}`],
  ])('refuses eight times as many %s without parsing them', (_, text) => {
    const parse = jest.spyOn(JSON, 'parse');
    expect(() => parseMessage(text)).toThrow(tooMany);
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
  });

  it('reads the longest string, and any number of numbers', () => {
    expect(parseMessage(JSON.stringify('['.repeat(8 * MIB)))).toHaveLength(8 * MIB);
    expect(parseMessage(filled('1', 8 * MIB))).toHaveLength(4 * MIB);
  });

  it.each(['{', '"', `${'['.repeat(20_000)}`, `"${'\\'.repeat(20_001)}"`])('refuses what is not JSON', (text) => {
    expect(() => parseMessage(text)).toThrow(expect.objectContaining({ code: -32700 }) as Error);
  });
});

describe('jsonCost', () => {
  it('counts arrays and objects once, and names three times, but nothing in strings', () => {
    expect(jsonCost('{"a":[{},{"b:[{":"]}\\":[","c":1}]}')).toBe(4 + 3 * 3);
    expect(jsonCost('"\\\\" : "\\"')).toBe(3);
  });
});
