import { atLeast, atMost, numberText, outcomesTable, scoreOf, verdictOn } from '../../../bench/report/goal';

describe('goals of performance', () => {
  it('are met at the bound', () => {
    const get = (reached: number) => verdictOn({ work: 'get', goal: atLeast(0.6, '× bare'), reached });
    const start = (reached: number) => verdictOn({ work: 'start', goal: atMost(1.5, 's'), reached });
    expect([get(0.6), get(0.599), start(1.5), start(1.51)]).toEqual(['met', 'missed', 'met', 'missed']);
  });

  it('are missed if nothing was measured, or if requests have failed', () => {
    const get = { work: 'get', goal: atLeast(0.6, '× bare') };
    expect(verdictOn({ ...get, reached: NaN })).toBe('missed');
    expect(verdictOn({ ...get, goal: atMost(1, 's'), reached: NaN })).toBe('missed');
    expect(verdictOn({ ...get, reached: 0.9, problem: '1 of 9 failed', unjudged: '2 cores' })).toBe('missed');
    expect(verdictOn({ work: 'start', reached: NaN, problem: 'a server did not start' })).toBe('missed');
  });

  it('are not counted if the machine cannot say that they are missed', () => {
    const replicas = { work: 'two replicas', goal: atLeast(1.6, '× one'), unjudged: '2 cores' };
    const outcomes = [
      { ...replicas, reached: 1.1 },
      { ...replicas, reached: 1.7 },
      { work: 'list', goal: atLeast(1, '× bare'), reached: 0.9 },
      { work: 'other: get', reached: 1 },
    ];
    expect(outcomes.map(verdictOn)).toEqual(['not judged', 'met', 'missed', 'no goal']);
    expect(scoreOf(outcomes)).toBe('1 of 2 goals are met.');
  });

  it('stand in a table, each with what was reached and whether that is enough', () => {
    const table = outcomesTable([
      {
        work: 'get',
        ceiling: '20,000/s',
        goal: atLeast(0.6, '× bare'),
        reached: 0.634,
        latency: { p50Ms: 1.5, p99Ms: 12 },
        cpuMicros: { node: 71.4, redis: 12 },
      },
      { work: 'list', goal: atLeast(0.8, '× bare'), reached: 0.5 },
      { work: 'batch', goal: atLeast(1, '× bare'), reached: 2, problem: '3 of 9 failed' },
      { work: 'two replicas', goal: atLeast(1.6, '× one'), reached: 1.1, unjudged: '2 cores' },
      { work: 'other: get', reached: 0.1, unit: '× bare' },
    ]);
    expect(table.split('\n').slice(2, -1)).toEqual([
      '| get | 20,000/s | ≥ 0.60 × bare | 0.63 × bare | 1.50 / 12 | 71.4 |  | 12 | yes |',
      '| list |  | ≥ 0.80 × bare | 0.50 × bare |  |  |  |  | **no** |',
      '| batch |  | ≥ 1 × bare | 3 of 9 failed |  |  |  |  | **no** |',
      '| two replicas |  | ≥ 1.60 × one | 1.10 × one |  |  |  |  | not judged: 2 cores |',
      '| other: get |  |  | 0.10 × bare |  |  |  |  |  |',
    ]);
  });

  it('are written with as many digits as count', () => {
    expect([0, 0.034, 0.6, 9.994, 12.34, 123.4, 12345.6].map(numberText)).toEqual([
      '0',
      '0.03',
      '0.60',
      '9.99',
      '12.3',
      '123',
      '12,346',
    ]);
  });
});
