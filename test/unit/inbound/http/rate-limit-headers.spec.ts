import { RateLimitHeaders } from '../../../../src/inbound/http/rate-limit-headers';

function headersFor(...standings: [limit: number, remaining: number, endsInMs: number, refused?: boolean][]) {
  const limits = new RateLimitHeaders();
  for (const [limit, remaining, endsInMs, refused = false] of standings) {
    limits.add({ limit, remaining, endsInMs, refused });
  }
  const { headers } = limits;
  return ['limit', 'remaining', 'reset'].map((name) => headers[`x-ratelimit-${name}`]).concat(headers['retry-after']);
}

describe('the headers of rate limits', () => {
  it('a reply has no headers if no call in it is limited', () => {
    expect(new RateLimitHeaders().headers).toEqual({});
  });

  it('the headers give whole seconds, rounded up, so that no caller comes back too early', () => {
    expect(headersFor([5, 4, 1001])).toEqual(['5', '4', '2', undefined]);
    expect(headersFor([5, 0, 2000, true])).toEqual(['5', '0', '2', '2']);
    expect(headersFor([5, 0, 0, true])).toEqual(['5', '0', '1', '1']);
  });

  it.each([
    ['the fewest calls left', [9, 3, 5000], [7, 2, 1000], ['7', '2', '1', undefined]],
    ['a refusal', [9, 0, 5000], [7, 0, 1000, true], ['7', '0', '1', '1']],
    ['of equals the longest wait', [9, 0, 5000, true], [7, 0, 1000, true], ['9', '0', '5', '5']],
  ] as const)('of several limits the headers show %s', (_name, one, other, expected) => {
    expect(headersFor([...one], [...other])).toEqual(expected);
    expect(headersFor([...other], [...one])).toEqual(expected);
  });
});
