import { JsonText } from '../../../../src/core/domain/json-text';
import { CALLER, Fixture } from '../../../support/fixture';

describe('the event of a change', () => {
  it('names the credential that has caused it, as a name may be that of several', async () => {
    const fixture = new Fixture();
    const { useCases, database } = fixture;
    const caller = (credentialId?: string) => ({ ...CALLER, credentialId });
    const text = { key: 'k', type: 'text' as const, content: 'x', condition: undefined };
    const change = async (id: string, credentialId?: string) => {
      const by = caller(credentialId);
      const metadata = JsonText.of({ data: { old: 1 } });
      await useCases.createTask.execute({ id, text: 'x', metadata }, by);
      await useCases.createTask.execute({ id: `${id}-sub`, text: 'x', parentId: id }, by);
      await useCases.createTask.execute({ id: `${id}-done`, text: 'x' }, by);
      await useCases.createAttachment.execute({ taskId: id, ...text }, by);
      await useCases.deleteAttachment.execute({ taskId: id, key: 'k' }, by);
      await useCases.updateTask.execute({ taskId: id, updates: { status: 'in_progress' } }, by);
      await useCases.completeTask.execute({ taskId: `${id}-done`, result: JsonText.of(1) }, by);
      await useCases.cancelTask.execute(`${id}-sub`, by);
      await useCases.deleteTask.execute(id, by);
    };
    await change('t-1', 'key:ops');
    const types = new Set(database.events.map(({ type }) => type));
    expect(types.size).toBe(7);
    for (const { type, metadata } of database.events)
      expect([type, metadata['credentialId']]).toEqual([type, 'key:ops']);
    const before = database.events.length;
    await change('t-2');
    expect(database.events.length).toBe(2 * before);
    for (const { metadata } of database.events.slice(before)) expect('credentialId' in metadata).toBe(false);
  });
});
