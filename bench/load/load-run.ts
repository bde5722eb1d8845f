import { request } from '../rpc-client';
import { quantile } from '../report/statistics';
import type { Dataset } from './dataset';
import { WORKLOADS, type Message, type WorkloadName } from './workloads';

/** Where a load goes. */
export type Endpoint =
  /** Connections are shared out among the URLs. */
  | { readonly urls: readonly string[]; readonly headers?: Readonly<Record<string, string>> }
  | { readonly nats: string; readonly subjectPrefix: string };

/** One run of the load generator. */
export interface LoadRun {
  readonly endpoint: Endpoint;
  readonly workload: WorkloadName;
  readonly dataset: Dataset;
  readonly durationSeconds: number;
  /** Of HTTP; over NATS, requests in flight on one connection. */
  readonly connections: number;
  /**
   * Requests are sent at this rate, with or without replies to earlier ones; unset: each after the reply to the last.
   */
  readonly requestsPerSecond?: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly durationSeconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Requests without a reply, or with a reply that is not a result. */
  readonly failures: number;
  /** By the clock of the machine. */
  readonly endedAtMs: number;
}

export function resultOf(latenciesMs: readonly number[], durationSeconds: number, failures: number): LoadResult {
  return {
    requests: latenciesMs.length,
    durationSeconds,
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    failures,
    endedAtMs: Date.now(),
  };
}

/** Of one connection, without end. */
export function messagesOf({ workload, dataset }: LoadRun, connection: number): () => Message {
  const messages = WORKLOADS[workload].messages(dataset, connection);
  if (typeof messages === 'function') return messages;
  let next = 0;
  return () => messages[next++ % messages.length] as Message;
}

export function bodyOf(message: Message): string {
  return JSON.stringify('method' in message ? request(message) : message.map(request));
}

/** Whether it is the result of a call, or of all calls of a batch. The values of the load hold no such text. */
export function isResult(reply: string): boolean {
  return reply.includes('"result":') && !reply.includes('"error":{');
}
