import fc from 'fast-check';
import { JsonText } from '../../../../src/core/domain/json-text';
import { completed } from '../../../../src/inbound/json-rpc/json-scanner';
import { JsonTooLong, quoteInSteps, writeJson, writeJsonInSteps } from '../../../../src/inbound/json-rpc/json-writer';

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

describe('writeJson', () => {
  it('the text is the one that JSON.stringify writes', () => {
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

  it('a text as long as it may be is written to its end', () => {
    fc.assert(
      fc.property(view, (value) => {
        const text = JSON.stringify(value);
        expect(writeJson(value, text.length)).toBe(text);
      }),
    );
  });

  it.each([
    ['an object', (end: object) => ({ a: 'x'.repeat(40), b: 'x'.repeat(40), end })],
    ['an array', (end: object) => ['x'.repeat(40), JsonText.restore(`"${'x'.repeat(40)}"`), end]],
    ['what is nested', (end: object) => ({ a: 'x'.repeat(40), list: [{ b: 'x'.repeat(40) }, end] })],
    ['many numbers', (end: object) => [...Array.from({ length: 50 }, () => 1), end]],
  ])('what is too long is not written to its end: %s', (_case, valueWith) => {
    let isReached = false;
    const end = {
      get reached() {
        return (isReached = true);
      },
    };
    expect(() => writeJson(valueWith(end), 80)).toThrow(JsonTooLong);
    expect(isReached).toBe(false);
    writeJson(valueWith(end));
    expect(isReached).toBe(true);
  });
});

describe('writeJsonInSteps', () => {
  const write = (value: object, maxLength = Infinity) => completed(writeJsonInSteps(value, maxLength));

  it('writes what writeJson writes', () => {
    fc.assert(
      fc.property(fc.array(view), view, (list, member) => {
        for (const value of [list, { list, member, none: undefined }]) expect(write(value)).toBe(writeJson(value));
      }),
    );
  });

  it('takes a step for each large element of an array in an object', () => {
    const steps = writeJsonInSteps({ attachments: Array(10).fill({ value: 'x'.repeat(200_000) }), total: 1 }, Infinity);
    let count = 0;
    while (!steps.next().done) count += 1;
    expect(count).toBe(11);
  });

  it('ends at what is too long', () => {
    const list = Array(10).fill('x'.repeat(100)) as string[];
    expect(() => write({ list }, 500)).toThrow(JsonTooLong);
    expect(write({ list }, 1200)).toBe(writeJson({ list }));
  });
});

describe('quoteInSteps', () => {
  it('writes what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(completed(quoteInSteps(text))).toBe(JSON.stringify(text));
      }),
    );
  });

  it('takes a step for each part of a large text, and never cuts a character', () => {
    for (const before of ['', 'a', '"', '\\']) {
      const text = before + '\u{1f600}'.repeat(200_000);
      const steps = quoteInSteps(text);
      let count = 0;
      for (;;) {
        const step = steps.next();
        if (step.done) {
          expect(step.value === JSON.stringify(text)).toBe(true);
          break;
        }
        count += 1;
      }
      expect(count).toBe(3);
    }
  });
});
