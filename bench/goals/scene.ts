import type { LoadGenerator, Target } from '../load/load-generator-process';
import type { Dataset } from '../load/dataset';
import type { BenchOptions } from '../options';
import type { Outcome } from '../report/goal';
import type { ServerProcess } from '../servers/server-process';

/** Goals that are measured on the same servers. */
export interface Scene {
  /** What `--only` selects its goals by. */
  readonly names: readonly string[];
  readonly measure: (work: SceneWork) => Promise<readonly Outcome[]>;
}

export interface SceneWork {
  readonly generator: LoadGenerator;
  readonly options: BenchOptions;
  readonly isChosen: (goal: { readonly name: string }) => boolean;
}

/** The processes of the stores, whose CPU time counts. */
export interface StoreProcesses {
  readonly postgres?: { readonly pid: number };
  readonly redis?: { readonly pid: number };
}

/** Several servers share the connections. */
export function targetOf(
  servers: readonly ServerProcess[],
  dataset: Dataset,
  { postgres, redis }: StoreProcesses = {},
): Target {
  const node = servers.map(({ pid }) => pid);
  return {
    endpoint: { urls: servers.map(({ rpcUrl }) => rpcUrl) },
    dataset,
    processes: { node, postgres: postgres?.pid, redis: redis?.pid },
  };
}
