import fc from 'fast-check';
import { keyProblem, taskIdProblem } from '../../../../src/core/domain/identifiers';
import {
  attachmentContents,
  attachmentRef,
  attachmentUri,
  type AttachmentView,
} from '../../../../src/inbound/mcp/attachment-resources';
import { viewOf } from './view-of';

const URI = 'dossier://tasks/t-1/attachments/a';

function contents(members: string): unknown {
  return attachmentContents(URI, viewOf(`{"taskId":"t-1","key":"a",${members},"version":7}`) as AttachmentView);
}

describe('the URI of an attachment', () => {
  it('leads back to the attachment, whatever its key is', () => {
    const taskIds = fc.stringMatching(/^[A-Za-z0-9._~-]{1,128}$/);
    const keys = fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }).filter((key) => !keyProblem(key));
    fc.assert(
      fc.property(taskIds, keys, (taskId, key) => {
        expect(taskIdProblem(taskId)).toBeUndefined();
        const uri = attachmentUri({ taskId, key });
        expect(uri).toMatch(/^[\x21-\x7e]+$/);
        expect(attachmentRef(uri)).toEqual({ taskId, key });
      }),
      { seed: 15 },
    );
  });

  it('may be spelt with other escapes, and its beginning in capitals', () => {
    expect(attachmentRef('DOSSIER://Tasks/t%2D1/attachments/a:b%3a')).toEqual({ taskId: 't-1', key: 'a:b:' });
  });

  it.each([
    '',
    'dossier://tasks/t-1',
    'dossier://tasks/t-1/attachments/',
    'dossier://tasks//attachments/a',
    'dossier://tasks/t-1/attachments/a/b',
    'dossier://tasks/t-1/attachments/a?b',
    'dossier://tasks/t-1/attachments/a#b',
    'dossier://tasks/t-1/attachments/%',
    'dossier://tasks/t-1/attachments/%ff',
    'file:///etc/passwd',
    ' dossier://tasks/t-1/attachments/a',
  ])('is refused if it is malformed: %j', (uri) => {
    const errors = [{ field: 'uri', message: 'must be dossier://tasks/{taskId}/attachments/{key}, percent-encoded' }];
    expect(() => attachmentRef(uri)).toThrow(
      expect.objectContaining({ code: -32602, data: { code: 'INVALID_PARAMS', errors } }) as Error,
    );
  });
});

describe('the contents of an attachment', () => {
  it.each([
    ['"type":"json","value":{"1":12345678901234567890}', 'application/json', '{"1":12345678901234567890}'],
    ['"type":"json","value":null', 'application/json', 'null'],
    ['"type":"json","value":{},"mimeType":"application/geo+json"', 'application/geo+json', '{}'],
    ['"type":"markdown","content":"# \\"A\\"\\n"', 'text/markdown', '# "A"\n'],
    ['"type":"text","content":""', 'text/plain', ''],
    ['"type":"text","content":"a;b","mimeType":"text/csv"', 'text/csv', 'a;b'],
    ['"type":"url","url":"https://a.example/b.png","mimeType":"image/png"', 'text/uri-list', 'https://a.example/b.png'],
    [
      '"type":"binary","url":"https://a.example/b","size":5,"mimeType":"image/png"',
      'application/json',
      '{"mimeType":"image/png","size":5,"url":"https://a.example/b"}',
    ],
    ['"type":"binary","mimeType":"image/png"', 'application/json', '{"mimeType":"image/png"}'],
  ])('with %s are of the type %s', (members, mimeType, text) => {
    expect(contents(members)).toEqual({ uri: URI, mimeType, text, _meta: { version: 7 } });
  });

  it('say that the database could not be asked', () => {
    expect(contents('"type":"text","content":"x","degraded":true')).toMatchObject({
      _meta: { version: 7, degraded: true },
    });
  });
});
