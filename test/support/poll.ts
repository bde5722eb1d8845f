import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 20;
/** Far longer than anything takes, so that a busy machine makes a test slower and not red. */
const TIMEOUT_MS = 30_000;

/**
 * The first answer of `ask` that is neither undefined nor false. Throws at the time-out, and says what it waited for.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = TIMEOUT_MS,
): Promise<T> {
  const giveUpAtMs = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > giveUpAtMs) throw new Error(`waited ${timeoutMs} ms and did not see: ${what}`);
    await sleep(POLL_MS);
  }
}

/** What is created next then has a later time: the order of two creations does not depend on luck. */
export async function nextMillisecond(): Promise<void> {
  const nowMs = Date.now();
  while (Date.now() === nowMs) await sleep(1);
}
