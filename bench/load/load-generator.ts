// A process that puts load on a server. Each message from its parent starts one run; each message to it is the result.
import { httpLoad } from './http-load';
import type { LoadResult, LoadRun } from './load-run';
import { natsLoad } from './nats-load';
import { openLoop } from './open-loop';

function start(run: LoadRun): Promise<LoadResult> {
  const { endpoint, requestsPerSecond } = run;
  if ('nats' in endpoint) return natsLoad(run, endpoint.nats, endpoint.subjectPrefix);
  if (requestsPerSecond) return openLoop(run, endpoint.urls[0] as string, requestsPerSecond);
  return httpLoad(run, endpoint.urls, endpoint.headers);
}

process.on('message', (message: LoadRun) => void start(message).then((result) => process.send?.(result)));
process.on('disconnect', () => process.exit());
