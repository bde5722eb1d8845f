import {
  bodyProblems,
  checkDraft,
  createAttachment,
  isLive,
  type AttachmentDraft,
} from '../../../../src/core/domain/attachment';
import { DomainError, type FieldError } from '../../../../src/core/domain/domain-error';
import { JsonText } from '../../../../src/core/domain/json-text';

const MAX_BYTES = 1000;
const NOW_MS = 1_758_272_800_000;
const at = {
  nowMs: NOW_MS,
  idSuffix: 'x8k2n9qp3',
  createdBy: 'instance-1',
  stamp: { version: 42, op: '00000000-0000-4000-8000-000000000001' },
};

const draft = (members: object): AttachmentDraft => ({ taskId: 't-1', key: 'k', ...members }) as AttachmentDraft;
const create = (members: object) => createAttachment(checkDraft(draft(members), MAX_BYTES), at);
const fieldsOf = (problems: readonly FieldError[]) => problems.map(({ field }) => field);

describe('an attachment', () => {
  it.each([
    ['json', { value: JsonText.of(null) }, 4],
    ['json', { value: JsonText.of({ a: 'é' }) }, 10],
    ['markdown', { content: '' }, 0],
    ['text', { content: '€' }, 3],
    ['url', { url: 'https://docs.example.com/guide' }, undefined],
    ['binary', { mimeType: 'application/pdf', size: 2048576, url: 'https://files.example.com/1' }, undefined],
  ])('of type %s is created from what the type takes', (type, members, bytes) => {
    expect(create({ type, ...members })).toEqual({
      taskId: 't-1',
      key: 'k',
      type,
      ...members,
      id: 'ta-1758272800000-x8k2n9qp3',
      bytes,
      createdBy: 'instance-1',
      createdAtMs: NOW_MS,
      updatedAtMs: NOW_MS,
      version: 42,
      op: at.stamp.op,
    });
  });

  it('lives until its time to live has passed', () => {
    const attachment = create({ type: 'text', content: 'x', ttlSeconds: 2 });
    expect(attachment.expiresAtMs).toBe(NOW_MS + 2000);
    expect(isLive(attachment, NOW_MS + 1999)).toBe(true);
    expect(isLive(attachment, NOW_MS + 2000)).toBe(false);
    expect(isLive({ ...attachment, expiresAtMs: undefined }, Number.MAX_SAFE_INTEGER)).toBe(true);
  });

  it('is refused with every wrong field at once', () => {
    const wrong = draft({
      taskId: 'a b',
      key: '',
      type: 'json',
      content: 'x',
      url: 'ftp://x',
      mimeType: 'x',
      size: 0,
      ttlSeconds: 1.5,
    });
    const check = () => checkDraft(wrong, MAX_BYTES);
    expect(check).toThrow(DomainError);
    try {
      check();
    } catch (error) {
      const { refusal } = error as DomainError;
      const fields = refusal.kind === 'invalid' ? fieldsOf(refusal.errors) : [];
      expect([...new Set(fields)].sort()).toEqual([
        'content',
        'key',
        'mimeType',
        'size',
        'taskId',
        'ttlSeconds',
        'url',
        'value',
      ]);
    }
  });
});

describe('the body of an attachment', () => {
  const problemsOf = (members: object) => bodyProblems(members, MAX_BYTES);

  it.each([
    [{ type: 'json' }, 'value'],
    [{ type: 'markdown' }, 'content'],
    [{ type: 'text' }, 'content'],
    [{ type: 'url' }, 'url'],
    [{ type: 'binary' }, 'mimeType'],
    [{ type: 'json', value: JsonText.of(1), content: '' }, 'content'],
    [{ type: 'json', value: JsonText.of(1), url: 'https://example.com' }, 'url'],
    [{ type: 'json', value: JsonText.of(1), url: 'no url' }, 'url'],
    [{ mimeType: 'x' }, 'mimeType'],
    [{ type: 'text', content: '', value: JsonText.of(null) }, 'value'],
    [{ type: 'url', url: 'https://example.com', content: 'x' }, 'content'],
    [{ type: 'binary', mimeType: 'a/b', value: JsonText.of(0) }, 'value'],
    [{ type: 'text', content: 'a\0' }, 'content'],
    [{ type: 'text', content: '\ud800' }, 'content'],
    [{ type: 'text', content: 'é'.repeat(501) }, 'content'],
    [{ type: 'json', value: JsonText.of('x'.repeat(999)) }, 'value'],
    [{ type: 'json', value: JsonText.fromValid('['.repeat(65) + ']'.repeat(65)) }, 'value'],
    [{ type: 'text', content: 'x', size: 1.5 }, 'size'],
    [{ type: 'text', content: 'x', ttlSeconds: 0 }, 'ttlSeconds'],
    [{ type: 'text', content: 'x', ttlSeconds: Infinity }, 'ttlSeconds'],
  ])('%j is refused for its %s', (members, field) => expect(fieldsOf(problemsOf(members))).toEqual([field]));

  it('may be exactly as large as the limit', () => {
    expect(problemsOf({ type: 'text', content: 'é'.repeat(500) })).toEqual([]);
    expect(problemsOf({ type: 'json', value: JsonText.of('x'.repeat(998)) })).toEqual([]);
  });

  it('keeps NUL and unpaired surrogates within the strings of a value', () => {
    expect(problemsOf({ type: 'json', value: JsonText.of('\0\ud800') })).toEqual([]);
  });

  it.each([
    'http://a',
    'HTTPS://Example.com:8080/p?q=1#f',
    'https://[::1]/',
    'https://example.com/@user',
    `https://example.com/${'x'.repeat(2028)}`,
  ])('takes the url %s', (url) => expect(problemsOf({ type: 'url', url })).toEqual([]));

  it.each([
    '',
    'example.com',
    '/relative',
    'ftp://example.com',
    'javascript:alert(1)',
    'https:example.com',
    'https://',
    'https://user:pass@example.com',
    'https://user@example.com',
    'https://@example.com',
    'http:///user:pass@host/',
    'https:////user@host',
    'http://\\user:pass@host/',
    ' https://example.com',
    'https://example.com/a b',
    'https://example.com/\n',
    'https://example.com/\0',
    'https://example.com/\ud800',
    `https://example.com/${'x'.repeat(2029)}`,
  ])('refuses the url %j', (url) => expect(fieldsOf(problemsOf({ type: 'url', url }))).toEqual(['url']));

  it.each(['application/pdf', 'image/svg+xml', 'application/vnd.api+json', 'x/y'])(
    'takes the mimeType %s',
    (mimeType) => expect(problemsOf({ type: 'binary', mimeType })).toEqual([]),
  );

  it.each(['', 'pdf', 'a/', '/b', 'a/b/c', 'a b/c', 'text/plain; charset=utf-8', `a/${'x'.repeat(126)}`, 'é/x'])(
    'refuses the mimeType %j',
    (mimeType) => expect(fieldsOf(problemsOf({ type: 'binary', mimeType }))).toEqual(['mimeType']),
  );
});
