import autocannon from 'autocannon';
import { bodyOf, isResult, messagesOf, resultOf, type LoadResult, type LoadRun } from './load-run';
import { WORKLOADS } from './workloads';

const TICK_MS = 50;

/** Each connection sends its next request when it has the reply to the last one. */
export async function httpLoad(run: LoadRun, urls: readonly string[], headers = {}): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  let connections = 0;
  const { duration, errors, non2xx, mismatches } = await autocannon({
    url: urls,
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    connections: run.connections,
    duration: run.durationSeconds,
    sampleInt: TICK_MS,
    setupClient: (client) => {
      client.setRequests(requestsOf(run, connections++));
      // Its own histogram knows no less than a millisecond.
      client.on('response', (_status, _bytes, durationMs) => latenciesMs.push(durationMs));
    },
    verifyBody: isResult,
  });
  // What timed out is among the errors.
  return resultOf(latenciesMs, duration, errors + non2xx + mismatches);
}

/** Texts that do not change are made before the load begins. */
function requestsOf(run: LoadRun, connection: number): autocannon.Request[] {
  const messages = WORKLOADS[run.workload].messages(run.dataset, connection);
  if (typeof messages !== 'function') return messages.map((message) => ({ body: bodyOf(message) }));
  const next = messagesOf(run, connection);
  return [{ setupRequest: (given) => ({ ...given, body: bodyOf(next()) }) }];
}
