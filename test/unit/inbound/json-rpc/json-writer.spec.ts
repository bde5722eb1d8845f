import fc from 'fast-check';
import { JsonText } from '../../../../src/core/domain/json-text';
import { writeJson } from '../../../../src/inbound/json-rpc/json-writer';

describe('writeJson', () => {
  it('the text is the one that JSON.stringify writes', () => {
    const { view } = fc.letrec((tie) => ({
      view: fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.double(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('view')),
        fc.dictionary(fc.constantFrom('id', 'taskId', 'code'), tie('view'), { noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(view, (value) => {
        expect(writeJson(value)).toBe(JSON.stringify(value));
      }),
    );
  });

  it('members that are undefined are left out', () => {
    expect(writeJson({ a: undefined, b: 1, c: undefined, d: [{ e: undefined }] })).toBe('{"b":1,"d":[{}]}');
  });

  it('a JsonText is written as it is, at any place', () => {
    const text = JsonText.restore('{"2":1.0,"1":1e2,"1":"\\ud800"}');
    expect(writeJson(text)).toBe(text.text);
    expect(writeJson({ value: text, list: [text, null] })).toBe(`{"value":${text.text},"list":[${text.text},null]}`);
  });
});
