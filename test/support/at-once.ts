const WAITS = Symbol('waits');

/** What the call returns or throws. Throws if it waits: if it has not settled in this iteration of the event loop. */
export async function atOnce<T>(call: Promise<T>): Promise<T> {
  const endOfIteration = new Promise<typeof WAITS>((resolve) => setImmediate(resolve, WAITS));
  const outcome = await Promise.race([call, endOfIteration]);
  if (outcome === WAITS) throw new Error('the call waits');
  return outcome;
}
