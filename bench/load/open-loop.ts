import { HttpConnection } from './http-connection';
import { bodyOf, isResult, messagesOf, resultOf, type LoadResult, type LoadRun } from './load-run';
import type { Message } from './workloads';

/** So many bodies are made before the load begins, and sent again and again. */
const BODIES = 1000;

/**
 * Sends requests by a timetable, and takes each latency from the time at which the request was due. A server that stops
 * for a second so delays all requests of that second, as it would if independent callers sent them; no request is left
 * out because an earlier one waits (coordinated omission). A request that finds no connection free waits for one, and a
 * timer has a millisecond: both count as latency.
 */
export async function openLoop(run: LoadRun, url: string, requestsPerSecond: number): Promise<LoadResult> {
  const pool = await Pool.open(url, run.connections);
  const messages = Array.from({ length: run.connections }, (_, connection) => messagesOf(run, connection));
  const bodies = Array.from({ length: BODIES }, (_, i) => bodyOf((messages[i % messages.length] as () => Message)()));
  const latenciesMs: number[] = [];
  let failures = 0;
  const send = async (i: number, dueAtMs: number) => {
    const reply = await pool.post(bodies[i % BODIES] as string).catch(() => '');
    latenciesMs.push(performance.now() - dueAtMs);
    if (!isResult(reply)) failures += 1;
  };
  const startedAtMs = performance.now();
  const sent: Promise<void>[] = [];
  const total = Math.round(requestsPerSecond * run.durationSeconds);
  while (sent.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAtMs) * requestsPerSecond) / 1000) + 1);
    while (sent.length < due) sent.push(send(sent.length, startedAtMs + (sent.length / requestsPerSecond) * 1000));
    await new Promise((wake) => setTimeout(wake, 1));
  }
  await Promise.all(sent);
  pool.close();
  return resultOf(latenciesMs, (performance.now() - startedAtMs) / 1000, failures);
}

class Pool {
  private readonly free: HttpConnection[];
  private readonly waiting: ((connection: HttpConnection) => void)[] = [];

  private constructor(private readonly all: readonly HttpConnection[]) {
    this.free = [...all];
  }

  static async open(url: string, connections: number): Promise<Pool> {
    return new Pool(await Promise.all(Array.from({ length: connections }, () => HttpConnection.open(url))));
  }

  async post(body: string): Promise<string> {
    const connection = this.free.pop() ?? (await new Promise<HttpConnection>((resolve) => this.waiting.push(resolve)));
    try {
      return await connection.post(body);
    } finally {
      const next = this.waiting.shift();
      if (next) next(connection);
      else this.free.push(connection);
    }
  }

  close(): void {
    for (const connection of this.all) connection.close();
  }
}
