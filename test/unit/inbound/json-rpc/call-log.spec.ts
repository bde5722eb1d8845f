import { Logger } from '@nestjs/common';
import { Registry } from 'prom-client';
import { CallDurations } from '../../../../src/inbound/json-rpc/call-durations';
import { CallLog } from '../../../../src/inbound/json-rpc/call-log';
import { JsonRpcError, overloaded, parseError, RATE_LIMITED } from '../../../../src/inbound/json-rpc/json-rpc-error';

describe('the log of calls', () => {
  let warn: jest.SpyInstance;
  let debug: jest.SpyInstance;
  let log: CallLog;
  let durations: CallDurations;

  beforeEach(() => {
    jest.useFakeTimers();
    warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
    debug = jest.spyOn(Logger.prototype, 'debug').mockImplementation();
    log = new CallLog();
    durations = new CallDurations(new Registry(), log);
  });
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  const rateLimited = new JsonRpcError(RATE_LIMITED, 'Rate limit exceeded', { code: 'RATE_LIMITED' });
  const ids = { requestId: 'r-1', traceId: '4bf92f3577b34da6a3ce929d0e0e4736' };

  it('has one line in ten seconds for each reason of a refusal, with the ids of a call', () => {
    for (let i = 0; i < 1000; i++) {
      durations.start('task.get', { transport: 'http', ids })(rateLimited);
      durations.rejected(overloaded(), { requestId: 'r-2' });
    }
    durations.rejected(parseError());
    expect(warn.mock.calls).toEqual([
      ['refused: rate_limited', ids],
      ['refused: overloaded', { requestId: 'r-2' }],
      ['refused: parse_error', undefined],
    ]);
    jest.advanceTimersByTime(10_000);
    durations.start('task.get', { transport: 'nats', ids })(rateLimited);
    expect(warn.mock.calls.slice(3)).toEqual([['refused: rate_limited (and 999 more like it before)', ids]]);
  });

  it('leaves missing and wrong credentials to the lines that say what is wrong with them', () => {
    durations.start('task.get', { transport: 'http', ids })(
      new JsonRpcError(-32002, 'Unauthorized', { code: 'UNAUTHORIZED' }),
    );
    expect(warn).not.toHaveBeenCalled();
  });

  it('has no line for a call that is served, and one at the level debug while it is asked for', () => {
    durations.start('task.get', { transport: 'http', ids })();
    expect(debug).not.toHaveBeenCalled();
    log.logsCalls = true;
    durations.start('task.get', { transport: 'nats', ids })();
    durations.start(undefined, { transport: 'http', ids })(new JsonRpcError(-32601, 'Method not found'));
    expect(debug.mock.calls).toEqual([
      [expect.stringMatching(/^task\.get over nats: ok in \d+\.\d ms$/), ids],
      [expect.stringMatching(/^unknown over http: refused in \d+\.\d ms$/), ids],
    ]);
    expect(warn).not.toHaveBeenCalled();
  });
});
