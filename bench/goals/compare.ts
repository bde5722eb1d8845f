import { creation, idOf, KEY_PREFIX, listOnce, seed, taskCreation, type Dataset } from '../load/dataset';
import { LoadGenerator, type Target } from '../load/load-generator-process';
import type { WorkloadName } from '../load/workloads';
import type { BenchOptions } from '../options';
import { atLeast, outcomesTable, scoreOf } from '../report/goal';
import { describeMachine } from '../report/machine';
import { RpcClient } from '../rpc-client';
import { withServer, withStores } from '../servers/with-servers';
import { choice } from './goals';
import { measureLoadGoals, perBare, tasksForGoals, type LoadGoal } from './load-goal';
import { targetsOf, withPairOn } from './pair';

const FACTOR = atLeast(3, '× the other');

const WORKS: readonly { name: string; work: string; workload: WorkloadName }[] = [
  { name: 'get', work: 'get', workload: 'get' },
  { name: 'list', work: 'list 20 of 20', workload: 'list' },
  { name: 'list', work: 'list 50 of 50', workload: 'list of 50' },
  { name: 'batch', work: 'batch of 20 of one task', workload: 'batch of one task' },
  { name: 'batch', work: 'batch of 20 of 20 tasks', workload: 'batch of 20 tasks' },
  { name: 'json-rpc-batch', work: 'JSON-RPC batch of 20 gets', workload: 'batch of 20 gets' },
  { name: 'create', work: 'create, new key', workload: 'create, new' },
  { name: 'create', work: 'create, overwrite', workload: 'create, overwrite' },
];

/**
 * Puts another JSON-RPC server into the table, under the same loads in the same rounds as the service and the bare
 * server. The other server keeps the tasks that it is filled with. Throws `BenchError` if it cannot be measured.
 */
export async function compare(options: BenchOptions): Promise<string> {
  const url = options.compareUrl as string;
  const isChosen = choice([...new Set(WORKS.map(({ name }) => name))], options.only);
  const goals = WORKS.filter(isChosen).flatMap(goalsFor);
  const other = new RpcClient(url, options.headers);
  await tryOut(other, goals);
  const machine = describeMachine();
  const outcomes = await withStores((postgres, redis) =>
    withServer(LoadGenerator.start(), (generator) =>
      withPairOn({ postgres, redis }, tasksForGoals(goals), async (pair) => {
        const target: Target = {
          endpoint: { urls: [url], headers: options.headers },
          dataset: await filled(other, goals),
        };
        return measureLoadGoals(generator, { ...targetsOf(pair), other: target }, goals, options);
      }),
    ),
  );
  const run = `${machine}; rounds: ${options.rounds}, seconds for each load: ${options.seconds}.`;
  return `## Comparison with ${url}\n\n${outcomesTable(outcomes)}\n${scoreOf(outcomes)} ${run}\n`;
}

async function filled(client: RpcClient, goals: readonly LoadGoal[]): Promise<Dataset> {
  const dataset = await seed(client, tasksForGoals(goals));
  if (goals.some(({ name }) => name === 'list')) await listOnce(client, dataset);
  return dataset;
}

function goalsFor({ name, work, workload }: (typeof WORKS)[number]): LoadGoal[] {
  const service = perBare(name, `${work}: service`, workload);
  const other = { server: 'other', workload };
  return [
    { ...service, unit: '× bare' },
    { ...service, work: `${work}: other`, of: other, unit: '× bare' },
    { ...service, work: `${work}: service beside the other`, per: other, goal: FACTOR },
  ];
}

/** Calls each method that the goals need once. Throws `BenchError` if one is missing or refuses. */
export async function tryOut(client: RpcClient, goals: readonly { readonly name: string }[]): Promise<void> {
  const needs = (name: string) => goals.some((goal) => goal.name === name);
  const taskId = idOf(await client.call(taskCreation()));
  const ref = { taskId, key: `${KEY_PREFIX}0` };
  const get = { method: 'task.get_attachment', params: ref };
  await client.call(creation(ref));
  if (needs('get')) await client.call(get);
  if (needs('list')) await client.call({ method: 'task.list_attachments', params: { taskId, limit: 20 } });
  if (needs('batch')) await client.call({ method: 'task.get_attachments_batch', params: { requests: [ref] } });
  if (needs('json-rpc-batch')) await client.callAll([get, get]);
}
