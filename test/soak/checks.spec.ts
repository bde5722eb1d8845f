import { METHODS } from '../../src/inbound/methods/method-descriptions';
import type { Replica } from '../faults/replica-group';
import { alertQueries, dashboardQueries } from '../support/prometheus-queries';
import type { HttpReply } from '../support/service';
import { DocumentedErrors } from './documented-errors';
import { digestOf, Ledger } from './ledger';
import { growthProblems, type MemorySample } from './memory';
import { quantile } from './report';
import { ShownSeries } from './shown-series';
import { Witness } from './witness';

const MIB = 1024 * 1024;

describe('the errors that docs/api.md names', () => {
  const documented = new DocumentedErrors();

  it('are all that the methods may return', () => {
    const missing = METHODS.flatMap(({ errors }) =>
      errors.filter(({ code, name }) => !documented.names({ code, data: { code: name } })).map(({ name }) => name),
    );
    expect([...new Set(missing)]).toEqual([]);
    expect(documented.count).toBeGreaterThan(20);
    for (const code of [-32700, -32601, -32600]) expect(documented.names({ code })).toBe(true);
    expect(documented.names({ code: -32004, data: { code: 'ORIGIN_NOT_ALLOWED' } })).toBe(true);
  });

  it('are no others', () => {
    expect(documented.names({ code: -32003 })).toBe(false);
    expect(documented.names({ code: -32001 })).toBe(false);
    expect(documented.names({ code: -32001, data: { code: 'TIMEOUT' } })).toBe(false);
    expect(documented.names({ code: -32602, data: { code: 'MADE_UP' } })).toBe(false);
  });

  it('stand beside the statuses', () => {
    expect([...documented.statuses].sort()).toEqual([200, 204, 400, 403, 405, 413, 414, 415, 503]);
    expect([...documented.restStatuses].sort()).toEqual([204, 401, 403, 404, 422, 429, 500, 503]);
  });
});

describe('the queries of dashboards and alerts', () => {
  const shown = new ShownSeries();
  shown.add(
    'replica-1',
    'dossier_a_total{method="task.get",outcome="ok"} 3\ndossier_jobs{job="drain"} 1\nnodejs_b 0\n',
  );
  const problemsOf = (expr: string) => shown.problemsOf({ source: 'x', expr });

  it('are found', () => {
    expect(dashboardQueries().length).toBeGreaterThan(20);
    expect(alertQueries().length).toBeGreaterThan(20);
  });

  it.each([
    'sum by (method, instance) (rate(dossier_a_total{job="dossier", outcome="ok"}[1m]))',
    'dossier_a_total{outcome!="failed",method=~"task\\\\..+"} > 0 and min(nodejs_b) == 0',
    'max by (exported_job) (dossier_jobs{exported_job!="purge"}) or up{job="dossier"} == 0',
  ])('are right if replicas have shown what they name: %s', (expr) => {
    expect(problemsOf(expr)).toEqual([]);
  });

  it.each([
    ['dossier_c_total', 'no replica has shown dossier_c_total'],
    ['rate(dossier_a_total{outcome="failed"}[1m])', 'no replica has shown dossier_a_total{outcome="failed"}'],
    ['sum by (method, reason) (dossier_a_total)', 'no metric of it has the label reason'],
    ['dossier_jobs{job="drain"}', 'no replica has shown dossier_jobs{job="drain"}'],
    ['vector(1)', 'it names no metric'],
  ])('are wrong if they have not: %s', (expr, problem) => {
    expect(problemsOf(expr)).toEqual([problem]);
  });
});

describe('memory', () => {
  const before: MemorySample = {
    ...{ replica: 'a', pid: 1, heapBytes: 50 * MIB, residentBytes: 150 * MIB, descriptors: 60 },
  };
  const problems = (after: Partial<MemorySample>, writes = 0) =>
    growthProblems(before, { ...before, ...after }, writes);

  it('is flat if it grows by no more than what is remembered of writes', () => {
    expect(problems({ heapBytes: 65 * MIB, residentBytes: 200 * MIB, descriptors: 70 })).toEqual([]);
    expect(problems({ heapBytes: 100 * MIB }, 100_000)).toEqual([]);
  });

  it('is not flat otherwise', () => {
    expect(problems({ heapBytes: 100 * MIB })).toEqual([expect.stringContaining('the live heap grew')]);
    expect(problems({ heapBytes: 150 * MIB }, 1e9)).toEqual([expect.stringContaining('the live heap grew')]);
    expect(problems({ residentBytes: 300 * MIB })).toEqual([expect.stringContaining('the resident memory grew')]);
    expect(problems({ descriptors: 100 })).toEqual([expect.stringContaining('the number of descriptors grew')]);
    expect(problems({ pid: 2 })).toEqual([expect.stringContaining('another process')]);
  });
});

describe('the witness', () => {
  const at = () => ({ replica: 'a#1', startedAtMs: performance.now(), endedAtMs: performance.now() });
  const body = '{"jsonrpc":"2.0","method":"task.get","params":{"id":"t"},"id":1}';
  const http = (witness: Witness, reply: object, status = 200) =>
    witness.sawHttp({
      path: '/rpc',
      body,
      at: at(),
      reply: { status, text: JSON.stringify({ jsonrpc: '2.0', id: 1, ...reply }) } as HttpReply,
    });
  const unavailable = {
    error: {
      code: -32001,
      message: 'Service unavailable',
      data: { code: 'STORE_UNAVAILABLE', reason: 'x', retryable: true },
    },
  };
  const seen = (look: (witness: Witness) => void) => {
    const witness = new Witness();
    witness.begin('calm');
    look(witness);
    return witness.problems;
  };

  it('finds nothing in a refusal of the documents, and in an outage that the phase excuses', () => {
    const missing = {
      error: { code: -32602, message: 'Task t not found', data: { code: 'TASK_NOT_FOUND', taskId: 't' } },
    };
    expect(seen((witness) => http(witness, missing))).toEqual([]);
    expect(
      seen((witness) => {
        witness.begin('outage', { words: ['STORE_UNAVAILABLE'], natsIsSilent: true });
        http(witness, unavailable);
        witness.sawSilence('task.get', 'no responders', at());
      }),
    ).toEqual([]);
  });

  it.each<[string, string, (witness: Witness) => void]>([
    [
      'an outage while all is well',
      'error -32001 STORE_UNAVAILABLE in the phase "calm"',
      (one) => http(one, unavailable),
    ],
    [
      'an error that is not documented',
      'error -32099 is not documented',
      (one) => http(one, { error: { code: -32099, message: 'x' } }),
    ],
    [
      'an internal error',
      'error -32603 INTERNAL_ERROR',
      (one) => http(one, { error: { code: -32603, message: 'Internal error', data: { code: 'INTERNAL_ERROR' } } }),
    ],
    ['a status that is not documented', 'status 502 is not documented', (one) => http(one, {}, 502)],
    ['a result that is not as it is described', 'a reply is not as', (one) => http(one, { result: { id: 7 } })],
    ['a request over NATS without a reply', 'no reply over NATS', (one) => one.sawSilence('task.get', 'x', at())],
  ])('finds %s', (_, problem, look) => {
    expect(seen(look)).toContainEqual(expect.stringContaining(problem));
  });

  it('counts by phase', () => {
    const witness = new Witness();
    witness.begin('calm');
    http(witness, unavailable);
    http(witness, unavailable);
    expect(witness.tallyOf('calm')).toMatchObject({ answers: 2, results: 0 });
    expect([...witness.tallyOf('calm').errors]).toEqual([['-32001 STORE_UNAVAILABLE', 2]]);
    expect(witness.problems).toEqual([expect.stringMatching(/"calm" \(2 times\)\n.*task\.get/)]);
  });
});

describe('the ledger', () => {
  const body = { type: 'json', value: [1] };
  const other = { type: 'json', value: [2] };
  const missing = { error: { data: { code: 'TASK_NOT_FOUND' } } };
  const task = { result: { status: 'pending', priority: 5 } };
  const listOf = (...attachments: object[]) => ({ result: { attachments } });
  /** What it says if the replica replies so, and the task has been left with an attachment `a`. */
  const problems = async (get: object, list: object, isGone = false) => {
    const ledger = new Ledger();
    const expected = ledger.add('acme', 't', 5);
    expected.attachments.set('a', digestOf(body));
    expected.isGone = isGone;
    const rpc = (method: string) => Promise.resolve(method === 'task.get' ? get : list);
    return ledger.problems({ name: 'r', service: { rpc } } as unknown as Replica, () => ({}));
  };

  it('finds nothing if all is as it was acknowledged', async () => {
    expect(await problems(task, listOf({ key: 'a', ...body }))).toEqual([]);
    expect(await problems(missing, missing, true)).toEqual([]);
  });

  it.each<[string, object, object, boolean]>([
    ['r: t is lost: {"data":{"code":"TASK_NOT_FOUND"}}', missing, missing, false],
    ['r: t is there, though its deletion was acknowledged', missing, listOf(), true],
    [
      'r: t is pending 6, not pending 5',
      { result: { status: 'pending', priority: 6 } },
      listOf({ key: 'a', ...body }),
      false,
    ],
    ['r: t/a is lost', task, listOf(), false],
    ['r: t/a is not what was acknowledged last', task, listOf({ key: 'a', ...other }), false],
    ['r: t/b is there, and was deleted', task, listOf({ key: 'a', ...body }, { key: 'b', ...body }), false],
    ['r: the list of t is degraded', task, { result: { attachments: [], degraded: true } }, false],
    [
      'r: t/c has expired, and is shown',
      task,
      listOf({ key: 'a', ...body }, { key: 'c', ...body, expiresAt: '2025-01-01T00:00:00.000Z' }),
      false,
    ],
  ])('finds that %s', async (problem, get, list, isGone) => {
    expect(await problems(get, list, isGone)).toEqual([problem]);
  });
});

it('a quantile is the least value that so many are not above', () => {
  expect([0, 0.5, 0.99, 1].map((share) => quantile([1, 2, 3, 4], share))).toEqual([1, 2, 4, 4]);
  expect(quantile([], 0.5)).toBe(0);
});
