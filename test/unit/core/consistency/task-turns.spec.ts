import { TaskTurns } from '../../../../src/core/consistency/task-turns';
import { CALLER, FOREIGN_CALLER } from '../../../support/fixture';

describe('TaskTurns', () => {
  let turns: TaskTurns;
  let begun: string[];
  let ends: Map<string, { resolve: (value: string) => void; reject: (error: Error) => void }>;
  beforeEach(() => {
    turns = new TaskTurns();
    begun = [];
    ends = new Map();
  });

  const change = (name: string, taskId = 't', caller = CALLER) =>
    turns.take(taskId, caller, () => {
      begun.push(name);
      return new Promise<string>((resolve, reject) => ends.set(name, { resolve, reject }));
    });

  it('lets the changes of a task begin one after the other, whatever becomes of each', async () => {
    const [first, second, third] = [change('first'), change('second'), change('third')];
    expect(begun).toEqual(['first']);
    ends.get('first')?.reject(new Error('failed'));
    await expect(first).rejects.toThrow('failed');
    expect(begun).toEqual(['first', 'second']);
    ends.get('second')?.resolve('done');
    await expect(second).resolves.toBe('done');
    ends.get('third')?.resolve('done, too');
    await expect(third).resolves.toBe('done, too');

    void change('fourth');
    expect(begun).toEqual(['first', 'second', 'third', 'fourth']);
  });

  it('lets nobody wait for another task, or for another organisation that names the same one', () => {
    void change('first');
    void change('another task', 'u');
    void change('foreign', 't', FOREIGN_CALLER);
    expect(begun).toEqual(['first', 'another task', 'foreign']);
  });
});
