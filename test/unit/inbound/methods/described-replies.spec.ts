import { checkEvent, checkOutcome, checkReplies } from '../../../support/described-replies';

const RESULT = { id: 't-1', status: 'completed', completedAt: '2026-01-19T11:00:00.000Z' };
const NOT_FOUND = { code: -32602, message: 'Task t-1 not found', data: { code: 'TASK_NOT_FOUND', taskId: 't-1' } };

describe('the check of replies', () => {
  it('lets through what is described', () => {
    checkOutcome('task.complete', { result: RESULT });
    checkOutcome('task.complete', { error: NOT_FOUND });
    checkOutcome('task.complete', { error: { code: -32601, message: 'Method not found' } });
  });

  it.each([
    ['a result with a member more', { result: { ...RESULT, more: 1 } }],
    ['a result with a member less', { result: { id: 't-1', status: 'completed' } }],
    ['a result with another type', { result: { ...RESULT, completedAt: 5 } }],
    ['an error with another code', { error: { ...NOT_FOUND, code: -32603 } }],
    ['an error with another message', { error: { ...NOT_FOUND, message: 'not found' } }],
    ['an error with other data', { error: { ...NOT_FOUND, data: { code: 'TASK_NOT_FOUND', id: 't-1' } } }],
    [
      'an error that the method does not have',
      { error: { ...NOT_FOUND, data: { code: 'TASK_EXISTS', taskId: 't-1' } } },
    ],
  ])('refuses %s', (_, outcome) => {
    expect(() => checkOutcome('task.complete', outcome)).toThrow();
  });

  it('finds the method of each reply in a batch', () => {
    const calls = [
      { jsonrpc: '2.0', method: 'task.get', id: 1 },
      { jsonrpc: '2.0', method: 'task.complete', id: 2 },
    ];
    const replies = [
      { jsonrpc: '2.0', error: NOT_FOUND, id: 1 },
      { jsonrpc: '2.0', result: { id: 't-1' }, id: 2 },
    ];
    expect(() => checkReplies(JSON.stringify(calls), JSON.stringify(replies))).toThrow('the result of task.complete');
  });

  it('refuses an event that is not described', () => {
    expect(() => checkEvent({ type: 'task.renamed' })).toThrow('is not described');
    expect(() => checkEvent({ type: 'task.created' })).toThrow('the event task.created');
  });
});
