import { randomUUID } from 'node:crypto';
import { DOMAIN_EVENT_TYPES, type DomainEvent } from '../../src/core/domain/domain-event';
import type { EventBus } from '../../src/core/ports/event-bus';
import { until } from '../support/poll';

export interface EventBusHarness {
  readonly bus: EventBus;
  /** What a subscriber has received since the harness was opened. */
  readonly received: readonly DomainEvent[];
  close(): Promise<void>;
}

export function anEvent(
  type: DomainEvent['type'] = 'task.created',
  payload: Record<string, unknown> = {},
): DomainEvent {
  return { type, payload, metadata: { eventId: randomUUID() }, timestamp: 1_767_323_045_678 };
}

export function describeEventBus(name: string, open: () => Promise<EventBusHarness>): void {
  describe(`EventBus ${name}`, () => {
    let harness: EventBusHarness;
    beforeAll(async () => {
      harness = await open();
    });
    afterAll(() => harness?.close());

    const arrival = ({ metadata }: DomainEvent) =>
      until('the event arrives', () => harness.received.find((one) => one.metadata.eventId === metadata.eventId));

    it.each(DOMAIN_EVENT_TYPES)('passes %s on unchanged', async (type) => {
      const event = anEvent(type, { text: 'Größe 𝒳 "\n', none: null, list: [1, { a: false }] });
      await harness.bus.publish(event);
      expect(await arrival(event)).toEqual(event);
    });

    it('keeps the order of events that are published one after the other', async () => {
      const events = Array.from({ length: 50 }, (_, nth) =>
        anEvent(nth % 2 ? 'task.updated' : 'task.deleted', { nth }),
      );
      for (const event of events) await harness.bus.publish(event);
      await arrival(events.at(-1) as DomainEvent);
      const ids = new Set(events.map(({ metadata }) => metadata.eventId));
      expect(harness.received.filter(({ metadata }) => ids.has(metadata.eventId))).toEqual(events);
    });
  });
}
