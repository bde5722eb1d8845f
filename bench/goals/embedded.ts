import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seed } from '../load/dataset';
import { atLeast } from '../report/goal';
import { RpcClient } from '../rpc-client';
import { ServerProcess } from '../servers/server-process';
import { withServer } from '../servers/with-servers';
import { measureLoadGoals, perBare, tasksForGoals, type LoadGoal } from './load-goal';
import { targetOf, type Scene, type SceneWork } from './scene';

const GOALS: readonly LoadGoal[] = [
  { ...perBare('embedded', 'embedded: batch of 20 of 20 tasks', 'batch of 20 tasks'), goal: atLeast(0.6, '× bare') },
  { ...perBare('embedded', 'embedded: create, new key', 'create, new'), goal: atLeast(0.5, '× bare') },
];

/** The bare server has PGlite as well, and a `Map` as its cache. */
export const EMBEDDED: Scene = {
  names: ['embedded'],
  measure: async (work) => {
    const folder = mkdtempSync(join(tmpdir(), 'dossier-bench-'));
    try {
      return await measureIn(folder, work);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function measureIn(folder: string, { generator, options }: SceneWork) {
  return withServer(ServerProcess.service({ DATA_DIR: join(folder, 'service') }), (service) =>
    withServer(ServerProcess.bare('embedded', join(folder, 'bare')), async (bare) => {
      const seeded = async (server: ServerProcess) =>
        targetOf([server], await seed(new RpcClient(server.rpcUrl), tasksForGoals(GOALS)));
      const servers = { service: await seeded(service), bare: await seeded(bare) };
      return measureLoadGoals(generator, servers, GOALS, options);
    }),
  );
}
