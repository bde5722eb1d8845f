import { connect, type NatsConnection } from '@nats-io/transport-node';
import { bodyOf, isResult, messagesOf, resultOf, type LoadResult, type LoadRun } from './load-run';
import type { Call } from '../rpc-client';

const TIMEOUT_MS = 10_000;

/** On one connection: so many loops, each of which sends its next request when it has the reply to the last one. */
export async function natsLoad(run: LoadRun, servers: string, subjectPrefix: string): Promise<LoadResult> {
  const connection = await connect({ servers });
  try {
    const latenciesMs: number[] = [];
    const startedAtMs = performance.now();
    const endsAtMs = startedAtMs + run.durationSeconds * 1000;
    let failures = 0;
    const loop = async (i: number) => {
      const next = messagesOf(run, i);
      for (let sentAtMs = performance.now(); sentAtMs < endsAtMs; sentAtMs = performance.now()) {
        const reply = await ask(connection, subjectPrefix, next() as Call);
        latenciesMs.push(performance.now() - sentAtMs);
        if (!isResult(reply)) failures += 1;
      }
    };
    await Promise.all(Array.from({ length: run.connections }, (_, i) => loop(i)));
    return resultOf(latenciesMs, (performance.now() - startedAtMs) / 1000, failures);
  } finally {
    await connection.close();
  }
}

/** Empty if there is no reply. */
function ask(connection: NatsConnection, subjectPrefix: string, call: Call): Promise<string> {
  return connection.request(`${subjectPrefix}${call.method}`, bodyOf(call), { timeout: TIMEOUT_MS }).then(
    (message) => message.string(),
    () => '',
  );
}
