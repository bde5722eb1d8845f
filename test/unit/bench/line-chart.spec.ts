import { axisFor } from '../../../bench/report/axis';
import { apart, lineChart, type LineChart } from '../../../bench/report/line-chart';

const CHART: LineChart = {
  title: 'Requests <by> size & rate',
  note: '2 cores',
  xTitle: 'bytes',
  yTitle: 'requests per second',
  xScale: 'log',
  yScale: 'linear',
  lines: [
    { name: 'get', points: [1, 10, 100].map((x) => ({ x, y: 10 * x })) },
    { name: 'list', points: [{ x: 1, y: 0 }], isDashed: true },
  ],
};

const attributes = (svg: string, pattern: RegExp) => [...svg.matchAll(pattern)].map((match) => match.slice(1));

describe('an axis', () => {
  it('begins at zero if it is linear, and has about five steps', () => {
    const axis = axisFor([3, 870], 'linear');
    expect(axis.ticks).toEqual([0, 200, 400, 600, 800, 1000]);
    expect([0, 500, 1000].map(axis.at)).toEqual([0, 0.5, 1]);
  });

  it('has powers of ten if it is logarithmic and long, and steps between them if it is short', () => {
    expect(axisFor([20, 10_000], 'log').ticks).toEqual([10, 100, 1000, 10_000]);
    expect(axisFor([0.3, 4], 'log').ticks).toEqual([0.2, 0.5, 1, 2, 5]);
    expect(axisFor([10, 1000], 'log').at(100)).toBeCloseTo(0.5);
  });

  it.each(['linear', 'log'] as const)('holds all numbers on a %s scale, also a single one', (scale) => {
    for (const numbers of [[1], [7, 7], [0.04, 12], [1, 256], [99, 101]]) {
      const { at, ticks } = axisFor(numbers, scale);
      for (const one of [...numbers, ...ticks].map(at)) {
        expect(one).toBeGreaterThanOrEqual(0);
        expect(one).toBeLessThanOrEqual(1);
      }
      expect(ticks.length).toBeGreaterThanOrEqual(2);
    }
  });
});

describe('a line chart', () => {
  const svg = lineChart(CHART);

  it('has a point for each measurement, on the scales of its axes', () => {
    const circles = attributes(svg, /<circle cx="([\d.]+)" cy="([\d.]+)"/g).map((pair) => pair.map(Number));
    expect(circles).toHaveLength(4);
    const [[x1 = 0, y1 = 0] = [], [x10 = 0, y10 = 0] = [], [x100 = 0, y100 = 0] = [], [, zero = 0] = []] = circles;
    // Pixels have one decimal.
    expect(x10 - x1).toBeCloseTo(x100 - x10, 0);
    expect((y10 - y100) / (y1 - y10)).toBeCloseTo(10, 0);
    expect(zero).toBeGreaterThan(y1);
  });

  it('names each line at its end, the titles and the ticks', () => {
    const texts = attributes(svg, /<text [^>]*>([^<]*)</g).flat();
    expect(texts).toEqual(expect.arrayContaining(['get', 'list', 'bytes', 'requests per second', '2 cores', '1,000']));
    expect(svg).toContain('Requests &lt;by&gt; size &amp; rate');
  });

  it('gives lines of one group one colour', () => {
    const colorsOf = (chart: LineChart) =>
      attributes(lineChart(chart), /<polyline class="line" stroke="(.*?)"/g).flat();
    expect(new Set(colorsOf(CHART)).size).toBe(2);
    const grouped = CHART.lines.map((line) => ({ ...line, group: 'service' }));
    expect(new Set(colorsOf({ ...CHART, lines: grouped })).size).toBe(1);
  });

  it('moves labels apart that would overlap', () => {
    expect(apart([100, 10, 104])).toEqual([100, 10, 116]);
  });
});
