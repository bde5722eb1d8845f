import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { choice } from '../goals/goals';
import { LoadGenerator } from '../load/load-generator-process';
import type { BenchOptions } from '../options';
import { numberText } from '../report/goal';
import { lineChart, type LineChart } from '../report/line-chart';
import { describeMachine } from '../report/machine';
import { markdownTable } from '../report/markdown-table';
import { withServer } from '../servers/with-servers';
import { ATTACHMENTS_PLOT, CONNECTIONS_PLOT, TASKS_PLOT, VALUES_PLOT } from './growth-plots';
import { LATENCY_PLOT } from './latency-plot';

export interface Plot {
  /** Of its file, and for `--only`. */
  readonly name: string;
  readonly measure: (generator: LoadGenerator, seconds: number) => Promise<Omit<LineChart, 'note'>>;
}

const FOLDER = resolve('bench/plots');
const PLOTS: readonly Plot[] = [LATENCY_PLOT, ATTACHMENTS_PLOT, TASKS_PLOT, VALUES_PLOT, CONNECTIONS_PLOT];

/** Writes the plots as SVG files beside this report. Returns them with their numbers in Markdown. */
export async function drawPlots({ only, seconds }: BenchOptions): Promise<string> {
  const isChosen = choice(
    PLOTS.map(({ name }) => name),
    only,
  );
  mkdirSync(FOLDER, { recursive: true });
  return withServer(LoadGenerator.start(), async (generator) => {
    const parts: string[] = [];
    for (const plot of PLOTS.filter(isChosen)) {
      process.stderr.write(`\n${plot.name}\n`);
      const note = describeMachine();
      const chart = { ...(await plot.measure(generator, seconds)), note };
      writeFileSync(join(FOLDER, `${plot.name}.svg`), lineChart(chart));
      parts.push(`![${chart.title}](plots/${plot.name}.svg)\n\n${numbersOf(chart)}`);
    }
    return `## Plots\n\n${parts.join('\n')}`;
  });
}

function numbersOf({ xTitle, yTitle, lines }: LineChart): string {
  const rows = lines.flatMap(({ name, points }) => points.map(({ x, y }) => [name, numberText(x), numberText(y)]));
  return markdownTable(['line', xTitle, yTitle], rows);
}
