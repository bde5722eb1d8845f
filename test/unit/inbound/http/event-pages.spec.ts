import type { Caller } from '../../../../src/core/domain/caller';
import type { DomainEvent } from '../../../../src/core/domain/domain-event';
import type { EventPage } from '../../../../src/core/ports/outbox';
import { StoreError } from '../../../../src/core/ports/store-error';
import type { FollowEvents, FollowEventsCommand } from '../../../../src/core/use-cases/events/follow-events';
import { EventPages, type Follower } from '../../../../src/inbound/http/event-pages';
import { LoadShedder } from '../../../../src/inbound/load/load-shedder';

const EVENT: DomainEvent = { type: 'task.created', payload: {}, metadata: { eventId: 'e' }, timestamp: 1 };
const EMPTY: EventPage = { events: [], position: 'p', more: false };
const gone = new AbortController();
const never = new AbortController().signal;

describe('EventPages', () => {
  /** The pages that have been asked for, each with the function that makes it come. */
  let asked: { readonly after: string | undefined; readonly come: (page: EventPage | Error) => void }[];
  let pages: EventPages;
  beforeEach(() => {
    asked = [];
    const execute = ({ after }: FollowEventsCommand) =>
      new Promise<EventPage>((resolve, reject) => {
        asked.push({ after, come: (page) => (page instanceof Error ? reject(page) : resolve(page)) });
      });
    pages = new EventPages(
      { execute } as unknown as FollowEvents,
      new LoadShedder({ maxInFlight: 1, maxEventLoopDelayMs: 1000 }),
    );
  });
  const follower = (after: string, share = 'a') =>
    ({ command: { after }, credential: { caller: {} as Caller }, share }) as Follower;
  const behind = { behind: true, signal: never };
  const untilIdle = async () => {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const askedFor = async () => {
    await untilIdle();
    return asked.map(({ after }) => after);
  };

  it('reads one page after the other for the followers of a caller that are behind', async () => {
    const first = pages.read(follower('1'), behind);
    const second = pages.read(follower('2'), behind);
    expect(await askedFor()).toEqual(['1']);
    asked[0]?.come({ events: [{ event: EVENT, position: 'x' }], position: 'x', more: true });
    await expect(first).resolves.toEqual({
      text: `id: x\nevent: task.created\ndata: ${JSON.stringify(EVENT)}\n\n`,
      position: 'x',
      more: true,
    });
    expect(await askedFor()).toEqual(['1', '2']);
    asked[1]?.come(EMPTY);
    await expect(second).resolves.toEqual({ text: '', position: 'p', more: false });
  });

  it('lets neither another caller nor a follower that has caught up wait', async () => {
    void pages.read(follower('1'), behind);
    void pages.read(follower('2', 'b'), behind);
    void pages.read(follower('3'), { behind: false, signal: never });
    expect(await askedFor()).toEqual(['1', '2', '3']);
  });

  it('goes on after a page that the database did not give', async () => {
    const [first, second] = [pages.read(follower('1'), behind), pages.read(follower('2'), behind)];
    await untilIdle();
    asked[0]?.come(new StoreError('postgres', 'unavailable'));
    await expect(first).rejects.toThrow(StoreError);
    expect(await askedFor()).toEqual(['1', '2']);
    asked[1]?.come(EMPTY);
    await second;
  });

  it('reads nothing for a follower that has gone while it waited', async () => {
    const first = pages.read(follower('1'), behind);
    const second = pages.read(follower('2'), { behind: true, signal: gone.signal });
    await untilIdle();
    gone.abort();
    asked[0]?.come(EMPTY);
    await first;
    await expect(second).rejects.toMatchObject({ name: 'AbortError' });
    expect(await askedFor()).toEqual(['1']);
  });
});
