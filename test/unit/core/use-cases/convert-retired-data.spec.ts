import { composeUseCases } from '../../../../src/app/use-cases';
import { JsonText } from '../../../../src/core/domain/json-text';
import { MAX_ATTACHMENTS_PER_TASK } from '../../../../src/core/domain/limits';
import type { AttachmentStore } from '../../../../src/core/ports/attachment-store';
import { CALLER, FOREIGN_CALLER, Fixture } from '../../../support/fixture';

let fixture: Fixture;
beforeEach(() => (fixture = new Fixture()));

async function taskWith(id: string, metadata: string, caller = CALLER): Promise<void> {
  await fixture.task(id, {}, caller);
  await fixture.useCases.updateTask.execute(
    { taskId: id, updates: { metadata: JsonText.fromValid(metadata) } },
    caller,
  );
}

const metadataOf = async (id: string, caller = CALLER) =>
  (await fixture.useCases.getTask.execute(id, caller)).task.metadata.text;
const attachmentsOf = async (id: string, caller = CALLER) =>
  (await fixture.list(id, {}, caller)).attachments.map(({ key, type, value, content }) => [
    key,
    type,
    value?.text ?? content,
  ]);

describe('converting the retired metadata.data', () => {
  it('makes attachments of its members, in the name of the replica, and announces them', async () => {
    await taskWith('t-1', '{"a":1,"data":{"2":[1.0],"1":null},"b":2}');
    await taskWith('t-2', '{"data":{"k":"v"}}', FOREIGN_CALLER);
    await taskWith('t-3', '{"data":{}}');
    const before = fixture.database.events.length;

    expect(await fixture.useCases.convertRetiredData.execute()).toEqual({ converted: 3, unconverted: [] });
    expect(await metadataOf('t-1')).toBe('{"a":1,"b":2}');
    expect(await attachmentsOf('t-1')).toEqual([
      ['1', 'json', 'null'],
      ['2', 'json', '[1.0]'],
    ]);
    expect(await metadataOf('t-2', FOREIGN_CALLER)).toBe('{}');
    expect(await attachmentsOf('t-2', FOREIGN_CALLER)).toEqual([['k', 'json', '"v"']]);
    expect(await metadataOf('t-3')).toBe('{}');
    const events = fixture.database.events.slice(before);
    const ofTask = events.filter(({ payload }) => payload['taskId'] === 't-1' || payload['id'] === 't-1');
    expect(ofTask.map(({ type }) => type)).toEqual([
      'task.attachment_created',
      'task.attachment_created',
      'task.updated',
    ]);
    expect(ofTask[2]?.metadata).toMatchObject({ updatedBy: fixture.settings.instanceId, changes: ['metadata'] });
  });

  it('takes as many members as are stored: only a new task may have no more than a hundred', async () => {
    await taskWith('t-1', JSON.stringify({ data: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [i, i])) }));
    expect(await fixture.useCases.convertRetiredData.execute()).toEqual({ converted: 1, unconverted: [] });
    expect((await fixture.list('t-1')).totalCount).toBe(101);
  });

  it('converts a task with more members than can be attached in the time of a call', async () => {
    await taskWith('t-1', JSON.stringify({ data: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [i, i])) }));
    const put = (...args: Parameters<AttachmentStore['put']>) => {
      fixture.clock.advance(10);
      return fixture.store.put(...args);
    };
    const store = Object.assign(Object.create(fixture.store) as AttachmentStore, { put });
    const { convertRetiredData } = composeUseCases({ ...fixture.ports, store });
    expect(await convertRetiredData.execute()).toEqual({ converted: 1, unconverted: [] });
    expect(await metadataOf('t-1')).toBe('{}');
    expect((await fixture.list('t-1')).totalCount).toBe(1000);
  });

  it('leaves a task alone that has none, or something else of that name', async () => {
    await taskWith('t-1', '{"data":[1]}');
    await taskWith('t-2', '{"deep":{"data":{"a":1}}}');
    const before = fixture.database.events.length;
    expect(await fixture.useCases.convertRetiredData.execute()).toEqual({ converted: 0, unconverted: [] });
    expect(fixture.database.events).toHaveLength(before);
  });

  it('keeps an attachment that is already there, as after an interruption', async () => {
    await taskWith('t-1', '{"data":{"k":"old","other":1}}');
    await fixture.text('t-1', 'k', 'new');
    expect(await fixture.useCases.convertRetiredData.execute()).toMatchObject({ converted: 1 });
    expect(await attachmentsOf('t-1')).toEqual([
      ['k', 'text', 'new'],
      ['other', 'json', '1'],
    ]);
    expect(await metadataOf('t-1')).toBe('{}');
    expect(await fixture.useCases.convertRetiredData.execute()).toEqual({ converted: 0, unconverted: [] });
  });

  it('keeps and names the members that cannot be attachments', async () => {
    const big = JSON.stringify('x'.repeat(1001));
    await taskWith('t-1', `{"data":{"":1,"ok":2,"big":${big}},"b":1}`);
    const unconverted = [
      {
        taskId: 't-1',
        errors: [
          { field: 'metadata.data.', message: expect.any(String) as string },
          { field: 'metadata.data.big', message: expect.any(String) as string },
        ],
      },
    ];
    expect(await fixture.useCases.convertRetiredData.execute()).toEqual({ converted: 0, unconverted });
    expect(await metadataOf('t-1')).toBe(`{"data":{"":1,"big":${big}},"b":1}`);
    expect(await attachmentsOf('t-1')).toEqual([['ok', 'json', '2']]);

    const before = fixture.database.events.length;
    expect(await fixture.useCases.convertRetiredData.execute()).toEqual({ converted: 0, unconverted });
    expect(fixture.database.events).toHaveLength(before);
  });

  it('keeps the members that a full task has no room for', async () => {
    await taskWith('t-1', '{"data":{"k1":1,"one-too-many":2}}');
    for (let i = 1; i <= MAX_ATTACHMENTS_PER_TASK; i++) await fixture.text('t-1', `k${i}`, '');
    const { converted, unconverted } = await fixture.useCases.convertRetiredData.execute();
    expect([converted, unconverted]).toMatchObject([0, [{ errors: [{ field: 'metadata.data.one-too-many' }] }]]);
    expect(await metadataOf('t-1')).toBe('{"data":{"one-too-many":2}}');
  });

  it.each([
    {
      change: 'updated',
      interfere: () =>
        fixture.useCases.updateTask.execute(
          { taskId: 't-1', updates: { metadata: JsonText.of({ data: { b: 2 } }) } },
          CALLER,
        ),
      converted: 1,
    },
    { change: 'deleted', interfere: () => fixture.useCases.deleteTask.execute('t-1', CALLER), converted: 0 },
  ])('begins again with a task that is $change in between', async ({ change, interfere, converted }) => {
    await taskWith('t-1', '{"data":{"a":1}}');
    const put = jest.fn((...args: Parameters<AttachmentStore['put']>) => fixture.store.put(...args));
    put.mockImplementationOnce(async (...args) => {
      await interfere();
      return fixture.store.put(...args);
    });
    const store = Object.assign(Object.create(fixture.store) as AttachmentStore, { put });
    const { convertRetiredData } = composeUseCases({ ...fixture.ports, store });
    expect(await convertRetiredData.execute()).toEqual({ converted, unconverted: [] });
    if (change === 'deleted') return;
    expect(await metadataOf('t-1')).toBe('{}');
    expect(await attachmentsOf('t-1')).toEqual([
      ['a', 'json', '1'],
      ['b', 'json', '2'],
    ]);
  });

  it('goes through all tasks in batches', async () => {
    for (let i = 100; i < 200; i++) await fixture.task(`t-${i}`);
    await taskWith('t-200', '{"data":{"a":1}}');
    const first = await fixture.useCases.convertRetiredData.execute();
    expect(first).toEqual({ converted: 0, unconverted: [], lastId: 't-199' });
    expect(await fixture.useCases.convertRetiredData.execute(first.lastId)).toEqual({ converted: 1, unconverted: [] });
  });
});
