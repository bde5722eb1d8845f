import '../../../../src/inbound/methods/method-descriptions';
import { RateLimitRules, type RateLimit } from '../../../../src/inbound/methods/rate-limit-rules';

const MINUTE_MS = 60_000;
const DELETIONS = ['task.delete_attachment', 'task.delete'];

function rules(perMinute: number, perMethod: Record<string, RateLimit> = {}): RateLimitRules {
  return new RateLimitRules(perMinute, new Map(Object.entries(perMethod)));
}

describe('the rules of rate limits', () => {
  it('only deletions are limited if nothing is configured', () => {
    for (const method of DELETIONS) expect(rules(0).of(method)).toEqual({ limit: 100, windowMs: MINUTE_MS });
    expect(rules(0).of('task.get')).toBeUndefined();
  });

  it('the limit a minute holds for every method without a rule of its own', () => {
    expect(rules(7).of('task.get')).toEqual({ limit: 7, windowMs: MINUTE_MS });
    for (const method of DELETIONS) expect(rules(7).of(method)).toMatchObject({ limit: 100 });
  });

  it('the opening of event streams is never limited', () => {
    expect(rules(7).of('events')).toBeUndefined();
  });

  it('the rule of a single method goes before all others, even if it takes a limit away', () => {
    const own = { limit: 3, windowMs: 1000 };
    const none = { limit: 0, windowMs: 1000 };
    const some = rules(7, { 'task.get': own, 'task.delete': own, 'task.list': none, 'task.delete_attachment': none });
    expect([some.of('task.get'), some.of('task.delete')]).toEqual([own, own]);
    expect([some.of('task.list'), some.of('task.delete_attachment')]).toEqual([undefined, undefined]);
  });
});
