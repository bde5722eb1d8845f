import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { inParallel } from '../../src/core/consistency/in-parallel';
import { runFleet } from './fleet';
import { MUTANTS } from './mutants';
import type { Failure, Progress } from './seed-range';
import { planOfSeed } from './seeds';
import { shrink } from './shrink';
import { staleMutants } from './stale-mutants';
import { tell } from './story';

const MAX_FAILURES = 20;

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '20000' },
      from: { type: 'string', default: '0' },
      scenario: { type: 'string' },
      mutants: { type: 'boolean', default: false },
      mutant: { type: 'string' },
    },
  });
  const { scenario } = values;
  const from = Number(values.from);
  const until = from + Number(values.seeds);
  planOfSeed(from, scenario);
  if (values.mutants || values.mutant !== undefined) return catchMutants(from, until, scenario, values.mutant);
  return findViolations(from, until, scenario);
}

/** Whether there is none. */
async function findViolations(from: number, until: number, scenario: string | undefined): Promise<boolean> {
  const startedAtMs = performance.now();
  const told = new Set<number>();
  const report = ({ schedules, failures }: Progress) => {
    for (const failure of failures.filter(({ seed }) => !told.has(seed))) {
      told.add(failure.seed);
      console.log(lineOf(failure));
    }
    const perSecond = Math.round(schedules / ((performance.now() - startedAtMs) / 1000));
    process.stderr.write(
      `${schedules} of ${until - from} schedules, ${failures.length} failed, ${perSecond} a second\n`,
    );
  };
  const { schedules, failures } = await runFleet({ from, until, scenario, maxFailures: MAX_FAILURES, report });
  const seconds = (performance.now() - startedAtMs) / 1000;
  console.log(`${schedules} schedules in ${seconds.toFixed(1)} s, ${failures.length} failed`);
  if (failures[0]) await explain(failures[0], scenario);
  return failures.length === 0;
}

function lineOf({ seed, scenario, violation }: Failure): string {
  return `seed ${seed}, ${scenario}: ${violation.rule}: ${violation.text}`;
}

async function explain({ seed, violation }: Failure, scenario: string | undefined): Promise<void> {
  const plan = await shrink(planOfSeed(seed, scenario), violation.rule);
  console.log(`\nThe shortest story found that breaks ${violation.rule}, made from seed ${seed}:\n${await tell(plan)}`);
}

/** Whether all are caught. Each core runs another mutant, until a first seed catches it. */
async function catchMutants(
  from: number,
  until: number,
  scenario: string | undefined,
  name: string | undefined,
): Promise<boolean> {
  refuseStale();
  const survivors: string[] = [];
  const chosen = MUTANTS.filter((one) => name === undefined || one.name === name);
  if (chosen.length === 0) throw new Error(`no mutant ${name}`);
  const cores = availableParallelism();
  const size = Math.max(Math.floor(cores / chosen.length), 1);
  await inParallel(chosen, cores, async (mutant) => {
    const range = { from, until, scenario: scenario ?? mutant.scenario, maxFailures: 1 };
    const { schedules, failures } = await runFleet({ ...range, size, mutant });
    const [first] = failures;
    if (first) console.log(`${mutant.name}: caught after ${schedules} schedules by ${lineOf(first)}`);
    else survivors.push(mutant.name);
  });
  if (survivors.length > 0) console.log(`SURVIVED: ${survivors.join('; ')}`);
  return survivors.length === 0;
}

/** A mutant whose place in the code has changed would be the code itself. */
function refuseStale(): void {
  const stale = staleMutants();
  if (stale.length > 0) throw new Error(`what these mutants replace is not found exactly once: ${stale.join('; ')}`);
}

Error.stackTraceLimit = 0;
void main().then(
  (isGood) => (process.exitCode = isGood ? 0 : 1),
  (error: Error) => {
    console.error(error.message);
    process.exitCode = 2;
  },
);
