import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { textOf, type SoakReport } from './report';
import { Soak } from './soak';

const DEFAULT_MINUTES = 5;
/** The run is given up after so many times its length, and some minutes for the start and the checks. */
const LONGEST = 4;
const MORE_MS = 10 * 60_000;
const FAILED = 2;

class UsageError extends Error {}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: String(DEFAULT_MINUTES) },
      seed: { type: 'string', default: '1' },
      logs: { type: 'string' },
    },
  });
  const minutes = positive('minutes', values.minutes);
  const seed = positive('seed', values.seed);
  const soak = new Soak({ minutes, seed, say: (line) => process.stderr.write(`${line}\n`) });
  const giveUp = (why: string) => {
    console.error(`given up: ${why}`);
    void soak.close().finally(() => process.exit(FAILED));
  };
  setTimeout(() => giveUp('it takes too long'), minutes * 60_000 * LONGEST + MORE_MS).unref();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => giveUp(signal));
  try {
    await soak.start();
    await soak.run().catch((error: Error) => soak.note('the day has come to an early end', error.stack));
    const report = soak.report();
    console.log(textOf(report));
    if (values.logs !== undefined) writeLogs(report, values.logs);
    return report.problems.length === 0 ? 0 : 1;
  } finally {
    await soak.close();
  }
}

/** What the processes at the end have logged, for a look at a problem. */
function writeLogs({ logs }: SoakReport, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const { name, lines } of logs)
    writeFileSync(join(folder, `${name}.log`), lines.map((line) => `${line}\n`).join(''));
}

function positive(option: string, text: string): number {
  const number = Number(text);
  if (!(number > 0 && Number.isFinite(number)))
    throw new UsageError(`--${option} must be a number above 0, is ${text}`);
  return number;
}

void main().then(
  (code) => process.exit(code),
  (error: Error) => {
    const isUsage = error instanceof UsageError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
    console.error(isUsage ? error.message : error);
    process.exit(FAILED);
  },
);
