import fc from 'fast-check';
import {
  isLongerThan,
  keyPrefixProblem,
  keyProblem,
  lengthProblem,
  newAttachmentId,
  newTaskId,
  storableTextProblem,
  taskIdProblem,
} from '../../../../src/core/domain/identifiers';

describe('task ids', () => {
  it.each(['t-1234567890', '3f2504e0-4f89-11d3-9a0c-0305e82c3301', 'A.z_0~-', 'x'.repeat(128)])('accept %s', (id) =>
    expect(taskIdProblem(id)).toBeUndefined(),
  );

  it.each(['', 'x'.repeat(129), 'a b', 'a/b', 'a:b', 'é', 't-1\n', '{t}', 1, null, undefined, ['t-1']])(
    'refuse %j',
    (id) => expect(taskIdProblem(id)).toMatch(/1 to 128/),
  );

  it('made by the service are task ids', () => {
    expect(newTaskId(1758272800000, 'x8k2n9qp3')).toBe('t-1758272800000-x8k2n9qp3');
    expect(newAttachmentId(1758272800000, 'x8k2n9qp3')).toBe('ta-1758272800000-x8k2n9qp3');
    expect(taskIdProblem(newTaskId(1758272800000, 'x8k2n9qp3'))).toBeUndefined();
  });
});

describe('keys', () => {
  it.each(['a', 'git-commit-abc123d', 'a:b', '{}', ' ', '*', '__proto__', '鍵', '😀'.repeat(100), 'e\u0301'])(
    'accept %j',
    (key) => expect(keyProblem(key)).toBeUndefined(),
  );

  it.each([
    '',
    'x'.repeat(101),
    '😀'.repeat(101),
    'a\u0000',
    'a\nb',
    '\u007f',
    '\u0085',
    '\ud83d',
    'a\udc00',
    7,
    null,
    undefined,
  ])('refuse %j', (key) => expect(keyProblem(key)).toMatch(/^must /));

  it('accept every text of 1 to 100 code points without control characters', () => {
    const character = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 });
    fc.assert(
      fc.property(fc.array(character, { minLength: 1, maxLength: 120 }), (characters) => {
        const key = characters.join('');
        const accepted = [...key].length <= 100 && !/\p{Cc}/u.test(key);
        expect(keyProblem(key) === undefined).toBe(accepted);
      }),
    );
  });

  it('may be empty as a prefix only', () => {
    expect(keyPrefixProblem('')).toBeUndefined();
    expect(keyPrefixProblem('x'.repeat(101))).toMatch(/100/);
    expect(keyPrefixProblem('\ud800')).toMatch(/surrogates/);
    expect(keyPrefixProblem(null)).toMatch(/string/);
  });
});

describe('text', () => {
  it('is storable without NUL and unpaired surrogates', () => {
    expect(storableTextProblem('\u0001\n\t😀')).toBeUndefined();
    expect(storableTextProblem('a\0')).toMatch(/U\+0000/);
    expect(storableTextProblem('a\ud800b')).toMatch(/surrogates/);
  });

  it('that is too long is refused with its length and the limit', () => {
    expect(lengthProblem('😀'.repeat(100), 100)).toBeUndefined();
    expect(lengthProblem('😀'.repeat(120), 100)).toBe('must be at most 100 characters long, is 120');
    expect(lengthProblem(`${'a\ud800'.repeat(60)}😀\udc00`, 100)).toBe('must be at most 100 characters long, is 122');
    expect(keyProblem('x'.repeat(101))).toBe('must be at most 100 characters long, is 101');
    expect(keyProblem('x'.repeat(1_000_000))).toBe('must be at most 100 characters long, is 1000000');
    expect(keyPrefixProblem('x'.repeat(101))).toBe('must be at most 100 characters long, is 101');
    expect(taskIdProblem('x'.repeat(129))).toBe('must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ -, is 129 long');
  });

  it('is measured in code points', () => {
    expect(isLongerThan('😀😀', 2)).toBe(false);
    expect(isLongerThan('😀😀a', 2)).toBe(true);
    expect(isLongerThan('x'.repeat(1_000_000), 100)).toBe(true);
  });
});
