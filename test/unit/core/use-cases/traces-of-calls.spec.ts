import type { DomainEvent } from '../../../../src/core/domain/domain-event';
import { JsonText } from '../../../../src/core/domain/json-text';
import type { TraceContext } from '../../../../src/core/domain/trace-context';
import type { Metrics } from '../../../../src/core/ports/metrics';
import { TRACING_OFF, type SpanOptions, type Tracing } from '../../../../src/core/ports/tracing';
import { PublishEvents } from '../../../../src/core/use-cases/events/publish-events';
import { DrainJournal } from '../../../../src/core/use-cases/upkeep/drain-journal';
import { JournalBacklog } from '../../../../src/core/consistency/journal-backlog';
import { MemoryOutbox } from '../../../../src/outbound/memory/memory-outbox';
import { CALLER, Fixture, JournalingFixture } from '../../../support/fixture';

const traceOf = (i: number): TraceContext => ({ traceparent: `00-${`${i}`.repeat(32)}-${'b'.repeat(16)}-01` });
const caller = (i: number) => ({ ...CALLER, trace: traceOf(i) });
const text = { key: 'k', type: 'text' as const, content: 'x', condition: undefined };

it('each event of a change goes out with the trace of the call that made it, and does not hold it', async () => {
  const { useCases, database, clock } = new Fixture();
  const metadata = JsonText.of({ data: { old: 1 } });
  await useCases.createTask.execute({ id: 't-1', text: 'x', metadata }, caller(1));
  await useCases.createTask.execute({ id: 't-2', text: 'x' }, CALLER);
  await useCases.createAttachment.execute({ taskId: 't-1', ...text }, caller(2));
  await useCases.updateTask.execute({ taskId: 't-1', updates: { status: 'in_progress' } }, caller(3));
  await useCases.deleteAttachment.execute({ taskId: 't-1', key: 'k' }, caller(4));
  await useCases.deleteTask.execute('t-1', caller(5));

  const published: [DomainEvent, TraceContext | undefined][] = [];
  const bus = {
    publish: (...given: [DomainEvent, TraceContext | undefined]) => Promise.resolve(void published.push(given)),
  };
  const metrics = { eventPublished: () => undefined, publisher: () => undefined } as unknown as Metrics;
  await new PublishEvents(new MemoryOutbox(database, clock), bus, metrics, clock).execute();
  const byType = published.map(([{ type }, trace]) => [type, trace?.traceparent.charAt(3)]);
  expect(byType.sort()).toEqual([
    ['task.attachment.deleted', '4'],
    ['task.attachment_created', '1'],
    ['task.attachment_created', '2'],
    ['task.cancelled', '5'],
    ['task.created', undefined],
    ['task.created', '1'],
    ['task.deleted', '5'],
    ['task.updated', '3'],
  ]);
  expect(published.filter(([event]) => 'trace' in event)).toEqual([]);
});

describe('the drain of the journal', () => {
  async function drained(isOn: boolean): Promise<readonly SpanOptions[]> {
    const fixture = new JournalingFixture();
    for (const id of ['t-1', 't-2']) await fixture.task(id);
    fixture.postgres.fails = 'unavailable';
    await fixture.useCases.createAttachment.execute({ taskId: 't-1', ...text }, caller(1));
    await fixture.useCases.createAttachment.execute({ taskId: 't-2', ...text }, CALLER);
    await fixture.useCases.deleteAttachment.execute({ taskId: 't-1', key: 'k' }, caller(2));
    fixture.postgres.fails = undefined;
    const spans: SpanOptions[] = [];
    const recording: Pick<Tracing, 'span' | 'isOn'> = {
      isOn,
      span: (options, work) => {
        spans.push(options);
        return TRACING_OFF.span(options, work);
      },
    };
    const tracing = Object.assign(Object.create(TRACING_OFF) as Tracing, recording);
    await new DrainJournal(fixture.journal, fixture.store, new JournalBacklog(), tracing).execute();
    expect(await fixture.journal.backlog()).toMatchObject({ waiting: 0 });
    return spans;
  }

  it('is linked to the calls that left their writes to the journal', async () => {
    expect(await drained(true)).toEqual([
      {
        name: 'drain the journal',
        kind: 'internal',
        attributes: { 'dossier.entries': 3 },
        links: [traceOf(1), traceOf(2)],
      },
    ]);
  });

  it('makes no span if no traces are recorded', async () => {
    expect(await drained(false)).toEqual([]);
  });
});
