import { Registry } from 'prom-client';
import { CallDurations } from '../../../../src/inbound/json-rpc/call-durations';
import {
  CONFLICT,
  INVALID_PARAMS,
  JsonRpcError,
  METHOD_FAILED,
  overloaded,
  parseError,
  RATE_LIMITED,
  UNAUTHORIZED,
  unexpected,
  type ErrorWord,
} from '../../../../src/inbound/json-rpc/json-rpc-error';

const IDS = { requestId: 'r' };

describe('the measurements of calls', () => {
  let registry: Registry;
  let durations: CallDurations;

  beforeEach(() => {
    registry = new Registry();
    durations = new CallDurations(registry);
  });

  const error = (code: number, word: Exclude<ErrorWord, 'INVALID_PARAMS'>) =>
    new JsonRpcError(code, 'message', { code: word });
  const samples = async (pattern: RegExp) =>
    (await registry.metrics()).split('\n').filter((line) => pattern.test(line) && !line.startsWith('#'));

  it.each([
    [undefined, 'ok'],
    [new JsonRpcError(INVALID_PARAMS, 'Invalid params', { code: 'INVALID_PARAMS', errors: [] }), 'invalid'],
    [error(INVALID_PARAMS, 'TASK_NOT_FOUND'), 'not_found'],
    [error(INVALID_PARAMS, 'ATTACHMENT_NOT_FOUND'), 'not_found'],
    [error(INVALID_PARAMS, 'TASK_FINISHED'), 'refused'],
    [error(CONFLICT, 'VERSION_CONFLICT'), 'refused'],
    [error(RATE_LIMITED, 'RATE_LIMITED'), 'rate_limited'],
    [error(UNAUTHORIZED, 'UNAUTHORIZED'), 'unauthorized'],
    [error(METHOD_FAILED, 'TIMEOUT'), 'failed'],
    [overloaded(), 'failed'],
    [unexpected(new Error('x'), { error: () => undefined, log: () => undefined, warn: () => undefined }), 'failed'],
  ])('tell outcomes apart: %s is %s', async (given, outcome) => {
    durations.start('task.get', { transport: 'http', ids: IDS })(given);
    expect(await samples(/^dossier_request_duration_seconds_count/)).toEqual([
      `dossier_request_duration_seconds_count{method="task.get",transport="http",outcome="${outcome}"} 1`,
    ]);
  });

  it('a call that has got no more room because its caller has hung up is neither failed nor refused', async () => {
    const start = (isAbandoned: boolean) =>
      durations.start('task.get', { transport: 'http', ids: IDS, isAbandoned: () => isAbandoned });
    start(true)(overloaded());
    start(true)(error(METHOD_FAILED, 'TIMEOUT'));
    start(false)(overloaded());
    const count = 'dossier_request_duration_seconds_count{method="task.get",transport="http",outcome=';
    expect((await samples(/_count/)).sort()).toEqual([`${count}"abandoned"} 1`, `${count}"failed"} 2`]);
    expect(await samples(/rejected_total.*overloaded/)).toEqual([
      'dossier_requests_rejected_total{reason="overloaded"} 1',
    ]);
  });

  it('begin at half a millisecond', async () => {
    durations.start('task.get', { transport: 'http', ids: IDS })();
    expect((await samples(/_bucket/))[0]).toContain('le="0.0005"');
  });

  it('count what is refused untried by reason, once each, and nothing else', async () => {
    durations.start('task.get', { transport: 'http', ids: IDS })(error(RATE_LIMITED, 'RATE_LIMITED'));
    durations.start('task.get', { transport: 'nats', ids: IDS })(error(UNAUTHORIZED, 'UNAUTHORIZED'));
    durations.start('task.get', { transport: 'nats', ids: IDS })(error(INVALID_PARAMS, 'TASK_NOT_FOUND'));
    durations.rejected(parseError());
    durations.rejected(overloaded());
    durations.rejected(overloaded());
    expect((await samples(/^dossier_requests_rejected_total/)).sort()).toEqual([
      'dossier_requests_rejected_total{reason="overloaded"} 2',
      'dossier_requests_rejected_total{reason="parse_error"} 1',
      'dossier_requests_rejected_total{reason="rate_limited"} 1',
      'dossier_requests_rejected_total{reason="unauthorized"} 1',
    ]);
  });
});
