import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attachmentCreations, taskCreations } from './dataset';
import { LoadGenerator, type Measurement } from './load-generator-process';
import { markdownTable } from './markdown-table';
import { RpcClient } from './rpc-client';
import { ServerProcess } from './server-process';
import { withServer, withStores } from './with-servers';
import { CONNECTIONS, WORKLOADS, type WorkloadName } from './workloads';

const WORKLOAD_NAMES = Object.keys(WORKLOADS) as WorkloadName[];

/**
 * Compares the throughput of the service with that of bare servers on the same stores. Returns a report in Markdown.
 */
export function measureLoad(): Promise<string> {
  return withServer(LoadGenerator.start(), async (generator) => {
    const echo = await withServer(ServerProcess.bare('echo'), (server) => generator.measure(server, 'get, hit'));
    const onServers = await measureOnServers(generator);
    const embedded = await measureEmbedded(generator);
    return [
      `## Load, ${CONNECTIONS} connections\n`,
      `### A bare node:http server that echoes\n`,
      table([['get, hit', 'echo', echo]]),
      `### PostgreSQL and Redis\n`,
      table(onServers),
      `### Embedded\n`,
      table(embedded),
    ].join('\n');
  });
}

type Row = [workload: string, server: string, measurement: Measurement, ceiling?: Measurement];

function measureOnServers(generator: LoadGenerator): Promise<Row[]> {
  return withStores(async (postgres, redis) => {
    const postgresUrl = await postgres.createDatabase();
    const service = ServerProcess.service({ DATABASE_URL: postgresUrl, REDIS_URL: redis.url });
    return compare(generator, service, () => ServerProcess.bare('servers', postgresUrl, redis.url));
  });
}

async function measureEmbedded(generator: LoadGenerator): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'dossier-bench-'));
  try {
    const service = ServerProcess.service({ DATA_DIR: join(folder, 'service') });
    return await compare(generator, service, () => ServerProcess.bare('embedded', join(folder, 'bare')));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Measures both servers in turn for each workload, so that other work on the machine affects both. */
function compare(
  generator: LoadGenerator,
  starting: Promise<ServerProcess>,
  startBare: () => Promise<ServerProcess>,
): Promise<Row[]> {
  return withServer(starting, async (service) => {
    await seed(service);
    return withServer(startBare(), async (bare) => {
      const rows: Row[] = [];
      for (const workload of WORKLOAD_NAMES) {
        const ceiling = await generator.measure(bare, workload);
        const measured = await generator.measure(service, workload);
        rows.push([workload, 'service', measured, ceiling], [workload, 'bare', ceiling]);
      }
      return rows;
    });
  });
}

async function seed({ url }: ServerProcess): Promise<void> {
  const client = new RpcClient(url);
  await client.callAll(taskCreations());
  await client.callAll(attachmentCreations());
}

function table(rows: readonly Row[]): string {
  const header = ['call', 'server', 'requests/s', 'p50 ms', 'p99 ms', 'server CPU µs/request', 'of bare requests/s'];
  return markdownTable(
    header,
    rows.map(([workload, server, measured, ceiling]) => [
      workload,
      server,
      Math.round(measured.requestsPerSecond).toLocaleString('en'),
      measured.p50Ms.toFixed(0),
      measured.p99Ms.toFixed(0),
      measured.cpuMicrosPerRequest.toFixed(0),
      ceiling ? `${((100 * measured.requestsPerSecond) / ceiling.requestsPerSecond).toFixed(0)} %` : '',
    ]),
  );
}
