// A process that puts load on a server. Each message from its parent starts one run; each message to it is the result.
import autocannon from 'autocannon';
import { CONNECTIONS, WORKLOADS, type WorkloadName } from './workloads';

export interface LoadRun {
  readonly url: string;
  readonly workload: WorkloadName;
  readonly durationSeconds: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly durationSeconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Requests without a reply, or with a reply that is not a result. */
  readonly failures: number;
}

async function run({ url, workload, durationSeconds }: LoadRun): Promise<LoadResult> {
  let connections = 0;
  const { requests, duration, latency, errors, timeouts, non2xx, mismatches } = await autocannon({
    url: `${url}/rpc`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    connections: CONNECTIONS,
    duration: durationSeconds,
    setupClient: (client) => client.setRequests(WORKLOADS[workload](connections++)),
    verifyBody: (body) => body.startsWith('{"jsonrpc":"2.0"') && !body.startsWith('{"jsonrpc":"2.0","error"'),
  });
  return {
    requests: requests.total,
    durationSeconds: duration,
    p50Ms: latency.p50,
    p99Ms: latency.p99,
    failures: errors + timeouts + non2xx + mismatches,
  };
}

process.on('message', (message: LoadRun) => void run(message).then((result) => process.send?.(result)));
process.on('disconnect', () => process.exit());
