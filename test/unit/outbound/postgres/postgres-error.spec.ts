import { StoreError } from '../../../../src/core/ports/store-error';
import { isAnswer, isStale, storeErrorOf } from '../../../../src/outbound/postgres/postgres-error';

const answer = (code: string, more = {}) =>
  Object.assign(new Error('of the server'), { severity: 'ERROR', code, ...more });

describe('an answer of PostgreSQL', () => {
  it.each([
    ['28P01', 'a rotated password', 'unavailable'],
    ['28000', 'a role that may not log in', 'unavailable'],
    ['3D000', 'a dropped database', 'unavailable'],
    ['55000', 'a database that takes no sessions', 'unavailable'],
    ['42501', 'a missing privilege', 'unavailable'],
    ['53300', 'too many connections', 'unavailable'],
    ['53100', 'a full disk', 'unavailable'],
    ['57P01', 'a shutdown', 'unavailable'],
    ['25006', 'a server that is read-only', 'unavailable'],
    ['53200', 'a full table of locks', 'busy'],
    ['55P03', 'a lock that was not free', 'busy'],
    ['40P01', 'a deadlock', 'busy'],
    ['40001', 'a conflict with another transaction', 'busy'],
    ['40003', 'a commit that may have taken place', 'failed'],
    ['57014', 'a time limit', 'timeout'],
    ['22P05', 'a character that the type does not accept', 'refused'],
    ['23502', 'a missing value', 'refused'],
    ['23514', 'a check that does not hold', 'refused'],
    ['23505', 'a value that is there already', 'failed'],
    ['23503', 'a reference to what is not there', 'failed'],
    ['42P01', 'a missing table', 'failed'],
    ['54000', 'more than an index can hold', 'failed'],
    ['XX000', 'a fault of the server', 'failed'],
  ])('%s, %s, is %s', (code, _, outcome) => {
    const error = storeErrorOf(answer(code));
    expect(error).toMatchObject({ outcome, code });
    expect(error.message).not.toContain('of the server');
  });

  it('over which the server has ended is an outage, whatever its code, and leaves no session', () => {
    const panic = answer('58P01', { severity: 'PANIC' });
    expect(storeErrorOf(panic)).toMatchObject({ outcome: 'unavailable' });
    expect([isAnswer(panic), isAnswer(answer('58P01'))]).toEqual([false, true]);
  });

  it('is stale only if another session may take the same statement', () => {
    for (const code of ['26000', '42P05']) expect(isStale(storeErrorOf(answer(code)))).toBe(true);
    expect(isStale(answer('0A000', { routine: 'RevalidateCachedQuery' }))).toBe(true);
    expect(isStale(answer('0A000', { routine: 'transformPartitionSpec' }))).toBe(false);
    expect(isStale(new StoreError('postgres', 'timeout'))).toBe(false);
  });

  it('is an answer if it leaves the session open', () => {
    expect(['42P01', '57P01', '08006'].map((code) => isAnswer(answer(code)))).toEqual([true, false, false]);
  });
});
