import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 20;

/** The first answer of `ask` that is neither undefined nor false; throws, and says what was waited for, when none comes. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 10_000,
): Promise<T> {
  const giveUpAtMs = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > giveUpAtMs) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await sleep(POLL_MS);
  }
}

/** So that what is created next is younger by its time as well: no two times in order are told apart by luck. */
export async function nextMillisecond(): Promise<void> {
  const nowMs = Date.now();
  while (Date.now() === nowMs) await sleep(1);
}
