import { completed } from '../../../../src/inbound/json-rpc/json-scanner';
import { writeJson } from '../../../../src/inbound/json-rpc/json-writer';
import { linkLargeBodies, MAX_INLINE_BYTES, type ResourceLink } from '../../../../src/inbound/mcp/tool-result';
import { viewOf } from './view-of';

const REF = '"taskId":"t-1","key":"ä/b"';
const URI = 'dossier://tasks/t-1/attachments/%C3%A4%2Fb';

function toolResult(result: string) {
  const links: ResourceLink[] = [];
  const text = writeJson(completed(linkLargeBodies(viewOf(result), links)));
  return { text, links };
}

function text(content: string, more = ''): string {
  return `{${REF},"type":"text","content":${JSON.stringify(content)}${more},"version":7}`;
}

describe('the result of a tool', () => {
  it('is the result of the method, to the byte, if no body is large', () => {
    const result = `{${REF},"type":"json","value":{"id":12345678901234567890,"1":1e400, "a":[]},"version":7}`;
    expect(toolResult(result)).toEqual({ text: result, links: [] });
    const full = text('x'.repeat(MAX_INLINE_BYTES));
    expect(toolResult(full)).toEqual({ text: full, links: [] });
  });

  it.each([
    ['a text', 'x'.repeat(MAX_INLINE_BYTES + 1), MAX_INLINE_BYTES + 1],
    ['a text whose characters have several bytes', 'ä'.repeat(40_000), 80_000],
    ['a text that is escaped', '"\n'.repeat(40_000), 80_000],
  ])('has a link in place of %s of more than 64 KiB', (_what, content, size) => {
    expect(toolResult(text(content))).toEqual({
      text: `{${REF},"type":"text","version":7,"bytes":${size}}`,
      links: [{ type: 'resource_link', uri: URI, name: 'ä/b', mimeType: 'text/plain', size }],
    });
  });

  it('measures a text as it is, not as it is escaped', () => {
    const escaped = text('\n'.repeat(MAX_INLINE_BYTES));
    expect(toolResult(escaped)).toEqual({ text: escaped, links: [] });
  });

  it('measures a JSON value by its text', () => {
    const value = `[${'1,'.repeat(40_000)}1]`;
    const { text, links } = toolResult(`{${REF},"type":"json","value":${value},"degraded":true}`);
    expect(text).toBe(`{${REF},"type":"json","degraded":true,"bytes":80003}`);
    expect(links).toMatchObject([{ mimeType: 'application/json', size: 80_003 }]);
  });

  it('has links in place of the large ones of several attachments', () => {
    const [small, large] = [text('x'), text('x'.repeat(70_000), ',"mimeType":"text/csv"')];
    const result = toolResult(`{"attachments":[${small},null,${large},${small}],"totalCount":4,"hasMore":false}`);
    const short = `{${REF},"type":"text","mimeType":"text/csv","version":7,"bytes":70000}`;
    expect(result.text).toBe(`{"attachments":[${small},null,${short},${small}],"totalCount":4,"hasMore":false}`);
    expect(result.links).toEqual([
      { type: 'resource_link', uri: URI, name: 'ä/b', mimeType: 'text/csv', size: 70_000 },
    ]);
  });

  it('is made in steps of one large attachment', () => {
    const attachments = Array<string>(10)
      .fill(text('x'.repeat(70_000)))
      .join(',');
    expect([...linkLargeBodies(viewOf(`{"attachments":[${attachments}]}`), [])]).toHaveLength(10);
    expect([...linkLargeBodies(viewOf(text('x')), [])]).toHaveLength(0);
  });

  it('is the result of the method if much is in it that is no body', () => {
    const many = `{"attachments":[${Array(100)
      .fill(text('x'.repeat(1000)))
      .join(',')}],"totalCount":100,"hasMore":false}`;
    expect(toolResult(many)).toEqual({ text: many, links: [] });
    const task = `{"id":"t-1","metadata":{"value":"${'x'.repeat(70_000)}","content":"x","attachments":[]}}`;
    expect(toolResult(task)).toEqual({ text: task, links: [] });
  });
});
