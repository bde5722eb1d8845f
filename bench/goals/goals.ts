import { BenchError } from '../bench-error';
import { LoadGenerator } from '../load/load-generator-process';
import type { BenchOptions } from '../options';
import { outcomesTable, scoreOf, type Outcome } from '../report/goal';
import { describeMachine } from '../report/machine';
import { withServer } from '../servers/with-servers';
import { AFTER_LOAD } from './after-load';
import { EMBEDDED } from './embedded';
import { FAST_DISK } from './fast-disk';
import { IDLE } from './idle';
import { MEMORY } from './memory';
import { OVER_NATS } from './over-nats';
import { REPLICAS } from './replicas';
import type { Scene, SceneWork } from './scene';
import { SLOW_DISK } from './slow-disk';
import { START } from './start';
import { TASK_LIST } from './task-list';

const SCENES: readonly Scene[] = [
  FAST_DISK,
  SLOW_DISK,
  TASK_LIST,
  OVER_NATS,
  IDLE,
  AFTER_LOAD,
  MEMORY,
  START,
  EMBEDDED,
  REPLICAS,
];

/** Measures each goal of performance, and says which ones are met. Returns a report in Markdown. */
export async function measureGoals(options: BenchOptions): Promise<string> {
  const isChosen = choice(
    SCENES.flatMap(({ names }) => names),
    options.only,
  );
  const machine = describeMachine();
  const outcomes = await withServer(LoadGenerator.start(), async (generator) => {
    const work: SceneWork = { generator, options, isChosen };
    const all: Outcome[] = [];
    for (const scene of SCENES) all.push(...(await outcomesIn(scene, work)));
    return all;
  });
  const run = `${machine}; rounds: ${options.rounds}, seconds for each load: ${options.seconds}.`;
  return `## Goals\n\n${outcomesTable(outcomes)}\n${scoreOf(outcomes)} ${run}\n`;
}

/** Throws `BenchError` if one of the chosen names does not exist. */
export function choice(names: readonly string[], only?: readonly string[]): SceneWork['isChosen'] {
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new BenchError(`--only knows no ${unknown}; it knows ${names.join(', ')}`);
  return ({ name }) => !only || only.includes(name);
}

/** A scene that fails does not end a run of many minutes: it becomes a row that says why. */
async function outcomesIn(scene: Scene, work: SceneWork): Promise<readonly Outcome[]> {
  const chosen = scene.names.filter((name) => work.isChosen({ name }));
  if (chosen.length === 0) return [];
  process.stderr.write(`\n${chosen.join(', ')}\n`);
  try {
    return await scene.measure(work);
  } catch (error) {
    process.stderr.write(`${(error as Error).stack}\n`);
    return [{ work: chosen.join(', '), reached: NaN, problem: (error as Error).message.split('\n')[0] }];
  }
}
