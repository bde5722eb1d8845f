import { measureLoadGoals, onService, outcomeOf, perBare, type LoadGoal } from '../../../bench/goals/load-goal';
import type { Load, Sample, Target } from '../../../bench/load/load-generator-process';
import { atLeast, atMost } from '../../../bench/report/goal';

const sample = (requestsPerSecond: number, more: Partial<Sample> = {}): Sample => ({
  requests: 1000,
  failures: 0,
  requestsPerSecond,
  p50Ms: 1,
  p99Ms: 2,
  endedAtMs: 0,
  ...more,
});

const GET: LoadGoal = { ...perBare('get', 'get', 'get'), goal: atLeast(0.6, '× bare') };

describe('the goal of a load', () => {
  it('reaches the median of the ratios of each round, not the ratio of the medians', () => {
    const service = [sample(10), sample(60), sample(200)];
    const bare = [sample(100), sample(100), sample(1000)];
    expect(outcomeOf(GET, service, bare)).toMatchObject({ reached: 0.2, ceiling: '100/s' });
  });

  it('counts a unit of work as several of the other', () => {
    const goal: LoadGoal = { ...GET, of: onService('batch of 20 gets'), per: onService('get'), weight: 20 };
    expect(outcomeOf(goal, [sample(300)], [sample(2000)]).reached).toBe(3);
  });

  it('compares latencies if it is about them', () => {
    const goal: LoadGoal = { ...GET, metric: 'p99, ms', goal: atMost(3, '× bare') };
    const outcome = outcomeOf(goal, [sample(1, { p99Ms: 9 })], [sample(1, { p99Ms: 4 })]);
    expect(outcome).toMatchObject({ reached: 2.25, ceiling: '4 ms' });
  });

  it('says nothing if requests have failed, on either side', () => {
    const failed = sample(900, { failures: 2 });
    expect(outcomeOf(GET, [sample(1), failed], [sample(1), sample(1)]).problem).toBe('2 of 4,000 failed');
    expect(outcomeOf(GET, [sample(1)], [failed]).problem).toBe('2 of 2,000 failed');
    expect(outcomeOf(GET, [sample(1)], [sample(1)]).problem).toBeUndefined();
    expect(outcomeOf(GET, [sample(0, { requests: 0 })], [sample(0, { requests: 0 })]).problem).toBe('no reply');
  });

  it('counts the failures of all rounds if it is about failures', () => {
    const goal: LoadGoal = { name: 'crowd', work: 'crowd', of: onService('get'), metric: 'failures' };
    const outcome = outcomeOf(goal, [sample(1, { failures: 1 }), sample(1), sample(1, { failures: 2 })]);
    expect(outcome).toMatchObject({ reached: 3, problem: undefined });
  });

  it('has the CPU time of what was measured on this machine', () => {
    const measured = [1, 3, 2].map((node) => sample(1, { cpuMicros: { node, redis: 10 * node } }));
    expect(outcomeOf(GET, measured, [sample(1), sample(1), sample(1)]).cpuMicros).toEqual({ node: 2, redis: 20 });
    expect(outcomeOf(GET, [sample(1)], [sample(1)]).cpuMicros).toBeUndefined();
  });
});

describe('loads', () => {
  it('are measured once a round each, every second round in the reverse order', async () => {
    const target = (url: string): Target => ({ endpoint: { urls: [url] }, dataset: { tasks: {} } });
    const measured: string[] = [];
    const generator = {
      measure: ({ endpoint }: Target, { workload, connections }: Load, seconds: number) => {
        measured.push(`${'urls' in endpoint ? endpoint.urls[0] : ''} ${workload} ${connections} ${seconds}`);
        return Promise.resolve(sample(100 * measured.length));
      },
    };
    const batch: LoadGoal = { ...GET, work: 'batch', of: onService('batch of 20 gets', 8), per: onService('get') };
    const servers = { service: target('ours'), bare: target('bare') };
    const outcomes = await measureLoadGoals(generator, servers, [GET, batch], { rounds: 2, seconds: 5 });
    const round = ['bare get 32 5', 'ours get 32 5', 'ours batch of 20 gets 8 5'];
    expect(measured).toEqual([...round, ...round.toReversed()]);
    // 200 / 100 and 500 / 600; 300 / 200 and 400 / 500.
    expect(outcomes.map(({ reached }) => reached)).toEqual([(2 + 5 / 6) / 2, (1.5 + 0.8) / 2]);
  });
});
