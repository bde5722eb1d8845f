import { RateLimitRules, type RateLimit } from '../../../../src/inbound/methods/rate-limit-rules';

const MINUTE_MS = 60_000;
const DELETIONS = ['task.delete_attachment', 'task.delete'];

function rules(perMinute: number, perMethod: Record<string, RateLimit> = {}): RateLimitRules {
  return new RateLimitRules(perMinute, new Map(Object.entries(perMethod)));
}

describe('the rules of rate limits', () => {
  it('limit deletions only, where nothing is said', () => {
    for (const method of DELETIONS) expect(rules(0).of(method)).toEqual({ limit: 100, windowMs: MINUTE_MS });
    expect(rules(0).of('task.get')).toBeUndefined();
  });

  it('limit every other method by the minute', () => {
    expect(rules(7).of('task.get')).toEqual({ limit: 7, windowMs: MINUTE_MS });
    for (const method of DELETIONS) expect(rules(7).of(method)).toMatchObject({ limit: 100 });
  });

  it('never limit how often event streams are opened, as the operator limits methods only', () => {
    expect(rules(7).of('events')).toBeUndefined();
  });

  it('of single methods go before all others, also where they take a limit away', () => {
    const own = { limit: 3, windowMs: 1000 };
    const none = { limit: 0, windowMs: 1000 };
    const some = rules(7, { 'task.get': own, 'task.delete': own, 'task.list': none, 'task.delete_attachment': none });
    expect([some.of('task.get'), some.of('task.delete')]).toEqual([own, own]);
    expect([some.of('task.list'), some.of('task.delete_attachment')]).toEqual([undefined, undefined]);
  });
});
