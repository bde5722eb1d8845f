import { isPassing, type Answer, type Transport, type WireCall } from './answer.ts';
import { delayMs, type Backoff, type Random } from './backoff.ts';
import { Deadline, orAborted, sleep } from './deadline.ts';
import { CallTimeoutError } from './dossier-error.ts';

export interface RunLimits {
  readonly timeoutMs: number;
  /** How often a call is repeated at most. */
  readonly retries: number;
  readonly signal?: AbortSignal | undefined;
}

/** A call, and whether it is safe to repeat. */
export interface RepeatableCall {
  readonly wire: WireCall;
  readonly isRepeatable: boolean;
}

const BACKOFF: Backoff = { firstMs: 100, longestMs: 2000 };

/** Sends calls, and those that may be repeated again, until they have succeeded or there is no time left. */
export class CallRunner {
  constructor(
    private readonly transport: Transport,
    private readonly random: Random,
  ) {}

  /** The answers in the order of the calls. Throws only the reason of the caller's signal. */
  async run(calls: readonly RepeatableCall[], { timeoutMs, retries, signal }: RunLimits): Promise<readonly Answer[]> {
    const deadline = new Deadline(timeoutMs, signal);
    const answers = new Map<RepeatableCall, Answer>();
    let pending = calls;
    try {
      for (let attempt = 1; pending.length > 0; attempt++) {
        await this.attempt(pending, attempt, deadline, answers);
        pending = pending.filter((call) => isWorthRepeating(call, answers.get(call)));
        if (pending.length === 0 || attempt > retries) break;
        const delay = delayMs(attempt, BACKOFF, this.random, longestWait(pending, answers));
        // The time-out would come first, and say less than the errors that are known.
        if (delay >= deadline.leftMs) break;
        await sleep(delay, deadline.signal);
      }
    } finally {
      deadline.dispose();
    }
    return calls.map((call) => answers.get(call) as Answer);
  }

  private async attempt(
    calls: readonly RepeatableCall[],
    attempt: number,
    { signal }: Deadline,
    answers: Map<RepeatableCall, Answer>,
  ): Promise<void> {
    const sent = calls.map(({ wire }) => wire);
    const received = await orAborted(this.transport.send(sent, signal), signal).catch((error: unknown) => {
      if (!(error instanceof CallTimeoutError)) throw error;
      return sent.map((): Answer => ({ error: new CallTimeoutError(error.timeoutMs) }));
    });
    calls.forEach((call, i) => {
      const answer = received[i] as Answer;
      if ('error' in answer) answer.error.attempts = attempt;
      answers.set(call, answer);
    });
  }
}

function isWorthRepeating({ isRepeatable }: RepeatableCall, answer: Answer | undefined): boolean {
  return isRepeatable && answer !== undefined && 'error' in answer && isPassing(answer.error);
}

function longestWait(
  calls: readonly RepeatableCall[],
  answers: ReadonlyMap<RepeatableCall, Answer>,
): number | undefined {
  const waits = calls.flatMap((call) => {
    const answer = answers.get(call);
    return answer && 'retryAfterMs' in answer && answer.retryAfterMs !== undefined ? [answer.retryAfterMs] : [];
  });
  return waits.length > 0 ? Math.max(...waits) : undefined;
}
