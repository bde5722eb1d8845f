import { randomUUID } from 'node:crypto';
import type { Attachment } from '../../src/core/domain/attachment';
import { JsonText } from '../../src/core/domain/json-text';

const SAMPLE_TIME_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

/** An attachment of type text unless told otherwise, with its `bytes` as the domain would set them. */
export function sampleAttachment(members: Partial<Attachment> & Pick<Attachment, 'taskId' | 'key'>): Attachment {
  const { value, content, url, mimeType } = members;
  const hasBody = [value, content, url, mimeType].some((member) => member !== undefined);
  const attachment: Attachment = {
    id: 'ta-1767323045678-abcdefghi',
    type: 'text',
    createdBy: 'alice',
    createdAtMs: SAMPLE_TIME_MS,
    updatedAtMs: SAMPLE_TIME_MS + 1,
    version: 2,
    op: randomUUID(),
    ...(hasBody ? {} : { content: 'hello' }),
    ...members,
  };
  const text = attachment.value?.text ?? attachment.content;
  return { ...attachment, bytes: text === undefined ? undefined : Buffer.byteLength(text) };
}

/** One of each type, with every optional member somewhere. */
export function oneOfEachType(taskId: string): Attachment[] {
  return [
    sampleAttachment({ taskId, key: 'json', type: 'json', value: JsonText.of({ b: 1, a: [true, null] }) }),
    sampleAttachment({ taskId, key: 'markdown', type: 'markdown', content: '# Größe' }),
    sampleAttachment({ taskId, key: 'text', content: 'plain', mimeType: 'text/plain', size: 5 }),
    sampleAttachment({ taskId, key: 'url', type: 'url', url: 'https://example.org/a?b=c#d' }),
    sampleAttachment({
      taskId,
      key: 'binary',
      type: 'binary',
      mimeType: 'application/pdf',
      size: 2 ** 40,
      url: 'https://example.org/file.pdf',
      expiresAtMs: Date.UTC(2120, 5, 6, 7, 8, 9, 10),
    }),
  ];
}
