import type { Caller } from '../../domain/caller';
import { invalid } from '../../domain/domain-error';
import type { EventPage, EventQuery, Outbox } from '../../ports/outbox';

const PAGE_SIZE = 200;
/** A page is a matter of milliseconds: a database that needs longer has other things to do first. */
const TIMEOUT_MS = 2000;
const UNKNOWN =
  'is not the id of an event of this service, or is one from before the database was restored: ' +
  'follow without it, and then read again what you need';

export type FollowEventsCommand = Pick<EventQuery, 'taskId' | 'parentId' | 'after'>;

/** The next events of the caller's organisation; a caller that follows the positions learns of every change. */
export class FollowEvents {
  constructor(private readonly outbox: Outbox) {}

  async execute(command: FollowEventsCommand, { organization }: Caller): Promise<EventPage> {
    const page = await this.outbox.read({ ...command, organization, limit: PAGE_SIZE }, TIMEOUT_MS);
    if (!page) throw invalid('lastEventId', UNKNOWN);
    return page;
  }
}
