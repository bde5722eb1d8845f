import { AcknowledgedChanges } from '../../../../src/core/consistency/acknowledged-changes';
import { CachedPages } from '../../../../src/core/consistency/cached-pages';
import { CacheTrust } from '../../../../src/core/consistency/cache-trust';
import type { AttachmentLookup } from '../../../../src/core/consistency/attachment-lookup';
import type { AttachmentCache, CachedAttachment, CachedPage } from '../../../../src/core/ports/attachment-cache';
import type { Metrics } from '../../../../src/core/ports/metrics';
import { CALLER } from '../../../support/fixture';
import { sampleAttachment } from '../../../support/sample-attachment';

const { organization } = CALLER;
const TASK = { taskId: 't-1', organization };
const QUERY = { ...TASK, nowMs: 0, keyPrefix: 'a', limit: 2, offset: 0, includeBodies: true, descending: false };
const [a1, a2, b] = ['a1', 'a2', 'b'].map((key) => sampleAttachment({ taskId: 't-1', key })) as [Known, Known, Known];
type Known = ReturnType<typeof sampleAttachment>;

describe('a filtered list without the store', () => {
  const task = { token: { floor: 0, generation: 1 }, cursor: 0, organization, deleted: false };
  const first: CachedPage = task;
  let all: CachedPage;
  let bodies: Known[];
  let acknowledged: AcknowledgedChanges;

  const knows = (...known: Known[]) => ({
    ...task,
    page: { totalCount: known.length, entries: known.map((attachment) => ({ key: attachment.key, attachment })) },
  });
  const list = async () => {
    const found = (attachment: Known): CachedAttachment => ({ ...task, attachment, journaled: false });
    const cache: Pick<AttachmentCache, 'read' | 'readPage'> = {
      readPage: () => Promise.resolve(all),
      read: () => Promise.resolve(bodies.map(found)),
    };
    const others = [{} as AttachmentLookup, {} as Metrics] as const;
    const pages = new CachedPages(cache as AttachmentCache, ...others, acknowledged);
    return (await pages.pageWithoutStore(QUERY, first, first.token.generation))?.attachments;
  };

  beforeEach(() => {
    [all, bodies] = [knows(a1, a2, b), [a1, a2]];
    acknowledged = new AcknowledgedChanges(new CacheTrust(), 1);
  });

  it('has what matches of all that the cache knows', async () => {
    expect(await list()).toEqual([a1, a2]);
  });

  it.each<[reason: string, happen: () => void]>([
    ['is of another organisation', () => (all = { ...all, organization: 'other' })],
    ['is of another generation', () => (all = { ...all, token: { floor: 0, generation: 2 } })],
    ['has no page', () => (all = task)],
    ['has more than one read returns', () => (all = { ...all, page: { totalCount: 501, entries: [] } })],
    ['has lost a body', () => (bodies = [a1])],
    ['has another attachment by now', () => (bodies = [a1, sampleAttachment({ taskId: 't-1', key: 'a2' })])],
    [
      'may lack a change that was forgotten here',
      () => {
        const change = { version: 6, deleted: true, journaled: false };
        for (const key of ['x', 'y']) acknowledged.remember(CALLER, { taskId: key, key }, change);
      },
    ],
  ])('is not made of a cache that %s', async (_, happen) => {
    happen();
    expect(await list()).toBeUndefined();
  });
});
