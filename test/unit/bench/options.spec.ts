import { parseOptions } from '../../../bench/options';

const problemOf = (...args: string[]) => {
  try {
    return parseOptions(args);
  } catch (error) {
    return (error as Error).message;
  }
};

describe('options of the benchmark', () => {
  it('has a default for each', () => {
    expect(parseOptions([])).toEqual({
      names: [],
      compareUrl: undefined,
      headers: {},
      only: undefined,
      seconds: 3,
      rounds: 3,
      idleSeconds: 20,
      memoryMinutes: 3,
    });
  });

  it('takes names of measurements, and numbers for a short run', () => {
    const options = parseOptions(['goals', '--only', 'get, list', '--seconds=0.5', '--rounds', '1']);
    expect(options).toMatchObject({ names: ['goals'], only: ['get', 'list'], seconds: 0.5, rounds: 1 });
    expect(parseOptions(['drain', 'events']).names).toEqual(['drain', 'events']);
  });

  it('takes the endpoint of another server, with headers', () => {
    const header = ['--header', 'Authorization: Bearer a:b', '--header', 'x-api-key:k'];
    expect(parseOptions(['compare', 'https://host/rpc', ...header])).toMatchObject({
      names: ['compare'],
      compareUrl: 'https://host/rpc',
      headers: { Authorization: 'Bearer a:b', 'x-api-key': 'k' },
    });
  });

  it.each([
    [['compare'], 'compare needs the URL of a JSON-RPC endpoint: compare http://host/rpc'],
    [['compare', 'host:3000'], 'compare needs an http or https URL, not host:3000'],
    [['compare', 'http://a', 'http://b'], 'compare takes one URL, not 2'],
    [['compare', 'http://a', '--header', 'no colon'], `--header must be 'Name: value', not "no colon"`],
    [['compare', 'http://a', '--header', 'a: b\r\nc: d'], `--header must be 'Name: value', not "a: b\\r\\nc: d"`],
    [['goals', 'compare', 'http://a'], 'compare is a run of its own: compare URL'],
    [['--only', 'get'], '--only belongs to a run of one of these alone: goals, plots, compare'],
    [['drain', '--only', 'get'], '--only belongs to a run of one of these alone: goals, plots, compare'],
    [['goals', 'plots', '--only', 'get'], '--only belongs to a run of one of these alone: goals, plots, compare'],
    [['goals', '--header', 'a: b'], '--header belongs to compare'],
    [['goals', '--rounds', '0'], '--rounds must be a whole number from 1 to 100, not 0'],
    [['goals', '--rounds', '1.5'], '--rounds must be a whole number from 1 to 100, not 1.5'],
    [['goals', '--seconds', 'long'], '--seconds must be a number from 0.1 to 600, not long'],
    [['goals', '--seconds='], '--seconds must be a number from 0.1 to 600, not '],
    [['goals', '--round', '1'], `Unknown option '--round'`],
  ])('says in one line what is wrong with %j', (args, problem) => {
    expect(problemOf(...args)).toBe(problem);
  });
});
