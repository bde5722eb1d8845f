import { ReplyError } from 'ioredis';
import { orStoreError, toStoreError } from '../../../../src/outbound/redis/redis-error';

const reply = (message: string) => new (ReplyError as unknown as new (message: string) => Error)(message);

describe('errors of Redis', () => {
  it.each([
    [reply('LOADING Redis is loading the dataset in memory'), 'unavailable'],
    [reply("READONLY You can't write against a read only replica."), 'unavailable'],
    [reply('CLUSTERDOWN The cluster is down'), 'unavailable'],
    [reply('MASTERDOWN Link with MASTER is down'), 'unavailable'],
    [reply('TRYAGAIN Multiple keys request during rehashing of slot'), 'unavailable'],
    [reply('NOPERM No permissions to access a key'), 'unavailable'],
    [new Error("Stream isn't writeable and enableOfflineQueue options is false"), 'unavailable'],
    [new Error('Connection is closed.'), 'unavailable'],
    [new Error('Command timed out'), 'timeout'],
    [reply('WRONGTYPE Operation against a key holding the wrong kind of value'), 'failed'],
    [reply('NOAUTH Authentication required.'), 'failed'],
    [reply("OOM command not allowed when used memory > 'maxmemory'."), 'failed'],
  ])('of the kind "%s" have the outcome %s', (error, outcome) => {
    expect(toStoreError(error)).toMatchObject({ name: 'StoreError', store: 'redis', outcome, cause: error });
  });

  it('name their kind, and nothing that was sent', () => {
    const codeOf = (error: Error) => toStoreError(error).code;
    expect(codeOf(reply('NOPERM No permissions to access a key'))).toBe('NOPERM');
    expect(codeOf(reply("WRONGTYPE Operation against 'cb:secret'"))).toBe('WRONGTYPE');
    expect(codeOf(new Error('Connection is closed.'))).toBeUndefined();
    expect(codeOf(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))).toBe('ECONNREFUSED');
  });

  it('leave the adapter as errors of the port', async () => {
    await expect(orStoreError(Promise.reject(reply('ERR unknown')))).rejects.toMatchObject({ outcome: 'failed' });
    await expect(orStoreError(Promise.resolve(1))).resolves.toBe(1);
  });
});
