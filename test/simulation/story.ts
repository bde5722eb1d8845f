import { VERSIONS_PER_MS, versionAt } from '../../src/core/domain/version';
import type { Plan } from './plan';
import { runSchedule, START_MS } from './schedule';

/** What the jobs do when there is nothing to do. */
const NOISE = /(takes|answers) (oldest|cursors|unpublished|find expired|markPublished|changes)\b/;

/** What happens in a schedule, one line for each step, as far as it tells something. */
export async function tell(plan: Plan): Promise<string> {
  const lines: string[] = [];
  await runSchedule(plan, (line) => lines.push(line));
  const skews = plan.skewsMs.map((skew, i) => `r${i + 1} ${skew} ms`).join(', ');
  const clocks = `clocks: ${skews}, in steps of ${plan.clockStepMs} ms; cache ahead by ${plan.floorSkewMs} ms`;
  return [clocks, ...lines.filter((line) => !NOISE.test(line)).map(legible)].join('\n');
}

/** Versions as milliseconds since the start, ops by their count. */
function legible(line: string): string {
  return line
    .replace(
      /0{8}-0{4}-(4|8)000-8000-0{6}(\d{6})/g,
      (_, kind: string, count: string) => `#${kind === '8' ? 'x' : ''}${+count}`,
    )
    .replace(/\b129\d{12}\b/g, (version) => `v${((+version - versionAt(START_MS)) / VERSIONS_PER_MS).toFixed(2)}`);
}
