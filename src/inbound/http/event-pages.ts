import { setImmediate } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { OneAtATime } from '../../core/consistency/one-at-a-time';
import type { EventPage } from '../../core/ports/outbox';
import { FollowEvents, type FollowEventsCommand } from '../../core/use-cases/events/follow-events';
import type { Credential } from '../auth/credential';
import { overloaded } from '../json-rpc/json-rpc-error';
import { LoadShedder } from '../load/load-shedder';
import { blockOf } from './event-stream';

/** About a millisecond of the event loop. */
const EVENTS_PER_STEP = 50;

export interface Follower {
  readonly command: FollowEventsCommand;
  readonly credential: Credential;
  /** Whose part of what this process can do its pages are. */
  readonly share: string;
}

/** A page as its reader gets it. */
export interface EventText extends Pick<EventPage, 'position' | 'more'> {
  /** Empty if there are no events. */
  readonly text: string;
}

/** Reads pages for followers, so that those of one caller leave time to the other callers. */
@Injectable()
export class EventPages {
  private readonly turns = new OneAtATime(() => setImmediate());

  constructor(
    private readonly followEvents: FollowEvents,
    private readonly shedder: LoadShedder,
  ) {}

  /**
   * For a follower that is `behind`, there is probably a full page, which costs the database and the event loop
   * milliseconds: such pages of one share are read one after the other. Throws as `FollowEvents`, what `signal` aborts
   * with while the page waits for another, and `OVERLOADED` if the share has taken too much of the event loop.
   */
  async read(
    { command, credential: { caller }, share }: Follower,
    { behind, signal }: { readonly behind: boolean; readonly signal: AbortSignal },
  ): Promise<EventText> {
    const read = async () => {
      signal.throwIfAborted();
      const { events, position, more } = await this.followEvents.execute(command, caller);
      const text = await this.shedder.loopTime.take(share, textOf(events));
      if (text === undefined) throw overloaded();
      return { text, position, more };
    };
    return behind ? this.turns.take(share, read) : read();
  }
}

function* textOf(events: EventPage['events']): Generator<void, string> {
  let text = '';
  for (const [i, event] of events.entries()) {
    if (i > 0 && i % EVENTS_PER_STEP === 0) yield;
    text += blockOf(event);
  }
  return text;
}
