import { Documents } from '../../../../../src/inbound/docs/documents';
import { ServiceFacts } from '../../../../../src/inbound/docs/service-facts';

interface SearchModules {
  readonly Description: new (document: unknown) => object;
  readonly SearchIndex: new (description: object) => { find(query: string): readonly { readonly anchor: string }[] };
}

const { Description } = jest.requireActual<SearchModules>('../../../../../src/inbound/docs/page/description.js');
const { SearchIndex } = jest.requireActual<SearchModules>('../../../../../src/inbound/docs/page/search-index.js');

describe('the search of the page', () => {
  const limits = { maxAttachmentBytes: 1, maxBodyBytes: 1, maxReplyBytes: 1 };
  const { text } = new Documents(new ServiceFacts('1.2.3', 'localhost', false, limits)).get('openrpc');
  const index = new SearchIndex(new Description(JSON.parse(text)));
  const find = (query: string) => index.find(query).map(({ anchor }) => anchor);

  it('finds a method by its name before longer ones, and before its own fields', () => {
    expect(find('task.create').slice(0, 2)).toEqual(['task.create', 'task.create_attachment']);
    expect(find('BATCH')[0]).toBe('task.get_attachments_batch');
  });

  it('finds parameters, members of results and errors by a part of their names', () => {
    expect(find('ttl').slice(0, 2)).toEqual(['task.create:ttlSeconds', 'task.create_attachment:ttlSeconds']);
    expect(find('hasMore list_att')).toEqual(['task.list_attachments:result.hasMore']);
    expect(find('conflict delete')).toEqual(['task.delete_attachment:error.VERSION_CONFLICT']);
  });

  it('finds nothing for words that stand nowhere, or for none', () => {
    expect([find('create xyzzy'), find('  ')]).toEqual([[], []]);
  });
});
