// Draws charts as SVG text. A library that draws lines with logarithmic axes without a browser brings an implementation
// of the DOM, or a grammar for charts of every kind; a hundred lines do for these charts, and the files stay readable in
// a diff.
import { axisFor, type Scale } from './axis';

export interface Line {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly isDashed?: boolean;
  /** Lines of the same group have the same colour; by default each has its own. */
  readonly group?: string;
}

export interface LineChart {
  readonly title: string;
  /** On what it was measured. */
  readonly note: string;
  /** With the unit. */
  readonly xTitle: string;
  readonly yTitle: string;
  readonly xScale: Scale;
  readonly yScale: Scale;
  readonly lines: readonly Line[];
}

const SIZE = { width: 720, height: 420 };
const PLOT = { left: 72, top: 56, right: 560, bottom: 346 };
const LABEL_HEIGHT = 16;
/** Those of Okabe and Ito: colour blindness does not make two of them equal. They show on white and on black. */
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
const STYLE = `
  text { font: 13px sans-serif; fill: #333 } .title { font-size: 16px; font-weight: bold } .note { font-size: 11px }
  .grid { stroke: #ccc; stroke-width: 1 } .line { fill: none; stroke-width: 2 } .back { fill: #fff }
  .name { paint-order: stroke; stroke: #fff; stroke-width: 4px }
  @media (prefers-color-scheme: dark) { text { fill: #ddd } .grid { stroke: #444 } .back { fill: #111 } .name { stroke: #111 } }
`;

export function lineChart(chart: LineChart): string {
  const x = axisFor(numbersOf(chart, 'x'), chart.xScale);
  const y = axisFor(numbersOf(chart, 'y'), chart.yScale);
  const toX = (value: number) => round(PLOT.left + x.at(value) * (PLOT.right - PLOT.left));
  const toY = (value: number) => round(PLOT.bottom - y.at(value) * (PLOT.bottom - PLOT.top));
  const { width, height } = SIZE;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escape(chart.title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="back" width="${width}" height="${height}"/>`,
    text(PLOT.left, 24, chart.title, 'class="title"'),
    ...x.ticks.flatMap((tick) => [
      rule(toX(tick), PLOT.top, toX(tick), PLOT.bottom),
      text(toX(tick), PLOT.bottom + 18, tickText(tick), 'text-anchor="middle"'),
    ]),
    ...y.ticks.flatMap((tick) => [
      rule(PLOT.left, toY(tick), PLOT.right, toY(tick)),
      text(PLOT.left - 8, toY(tick) + 4, tickText(tick), 'text-anchor="end"'),
    ]),
    text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 42, chart.xTitle, 'text-anchor="middle"'),
    text(PLOT.left, PLOT.top - 10, chart.yTitle, 'text-anchor="start"'),
    text(PLOT.left, height - 8, chart.note, 'class="note"'),
    ...linesOf(chart, toX, toY),
    '</svg>\n',
  ].join('\n');
}

type ToPixel = (value: number) => number;

/** Each line has its name at its end. */
function linesOf({ lines }: LineChart, toX: ToPixel, toY: ToPixel): string[] {
  const groups = [...new Set(lines.map(({ group, name }) => group ?? name))];
  const labelYs = apart(lines.map(({ points }) => toY(points.at(-1)?.y as number)));
  return lines.flatMap(({ name, group, points, isDashed }, i) => {
    const color = COLORS[groups.indexOf(group ?? name) % COLORS.length] as string;
    const path = points.map(({ x, y }) => `${toX(x)},${toY(y)}`);
    const dashes = isDashed ? ' stroke-dasharray="6 4"' : '';
    const labelY = round((labelYs[i] as number) + 4);
    const endX = toX(points.at(-1)?.x as number);
    return [
      `<polyline class="line" stroke="${color}"${dashes} points="${path.join(' ')}"/>`,
      ...points.map(({ x, y }) => `<circle cx="${toX(x)}" cy="${toY(y)}" r="3" fill="${color}"/>`),
      text(Math.max(endX + 8, PLOT.left), labelY, name, `class="name" style="fill:${color}"`),
    ];
  });
}

/** The same heights, moved down as far as they need to be so that no two labels overlap. */
export function apart(heights: readonly number[]): number[] {
  const moved = [...heights];
  let next = -Infinity;
  for (const i of heights.map((_, at) => at).sort((a, b) => (heights[a] as number) - (heights[b] as number))) {
    moved[i] = Math.max(heights[i] as number, next);
    next = moved[i] + LABEL_HEIGHT;
  }
  return moved;
}

function numbersOf({ lines }: LineChart, member: 'x' | 'y'): number[] {
  return lines.flatMap(({ points }) => points.map((point) => point[member]));
}

function rule(x1: number, y1: number, x2: number, y2: number): string {
  return `<line class="grid" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escape(content)}</text>`;
}

function tickText(tick: number): string {
  return tick.toLocaleString('en', { maximumFractionDigits: 3 });
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}

function escape(content: string): string {
  return content.replace(/[&<>]/g, (one) => ({ '&': '&amp;', '<': '&lt;' })[one] ?? '&gt;');
}
