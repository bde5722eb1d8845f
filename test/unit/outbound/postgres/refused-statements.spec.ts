import { StoreError } from '../../../../src/core/ports/store-error';
import { RefusedStatements } from '../../../../src/outbound/postgres/refused-statements';

const refusal = (code: string, message: string) => {
  const cause = Object.assign(new Error(message), { code, severity: 'ERROR' });
  return new StoreError('postgres', 'unavailable', { cause });
};

describe('statements that the server refuses', () => {
  let nowMs: number;
  let refused: RefusedStatements;
  beforeEach(() => {
    nowMs = 0;
    refused = new RefusedStatements(() => nowMs);
  });

  const fails = async (text: string, error: Error) => {
    const query = refused.around(() => Promise.reject(error));
    await expect(query(text)).rejects.toBe(error);
  };
  const succeeds = async (text: string) => {
    const query = refused.around(() => Promise.resolve([1] as never[]));
    expect(await query(text)).toEqual([1]);
  };

  it('are a missing privilege, or a write where nothing is written', async () => {
    expect(refused.reason).toBeUndefined();
    await fails('INSERT', refusal('42501', 'permission denied for table tasks'));
    expect(refused.reason).toMatch(/grants\.sql.*: permission denied for table tasks\.$/);
    await succeeds('INSERT');
    await fails('UPDATE', refusal('25006', 'cannot execute UPDATE in a read-only transaction'));
    expect(refused.reason).toMatch(/no writes: cannot execute UPDATE in a read-only transaction\.$/);
  });

  it('are not those that fail for another reason', async () => {
    await fails('INSERT', refusal('22P05', 'a value of the caller'));
    await fails('INSERT', refusal('57P03', 'the database system is starting up'));
    await fails('INSERT', new StoreError('postgres', 'timeout'));
    await fails('INSERT', new Error('no error of a store'));
    expect(refused.reason).toBeUndefined();
  });

  it('are refused until the same ones succeed, whatever the server answers to others', async () => {
    await fails('INSERT', refusal('42501', 'the first'));
    await fails('UPDATE', refusal('42501', 'the second'));
    await succeeds('SELECT');
    await fails('INSERT', refusal('42501', 'the first'));
    expect(refused.reason).toContain('the first');
    await succeeds('INSERT');
    expect(refused.reason).toContain('the second');
    await succeeds('UPDATE');
    expect(refused.reason).toBeUndefined();
  });

  it('are forgotten if no call has repeated them for a minute', async () => {
    await fails('INSERT', refusal('42501', 'the first'));
    nowMs = 30_000;
    await fails('UPDATE', refusal('42501', 'the second'));
    nowMs = 59_999;
    expect(refused.reason).toContain('the first');
    nowMs = 60_000;
    expect(refused.reason).toContain('the second');
    nowMs = 90_000;
    expect(refused.reason).toBeUndefined();
  });
});
