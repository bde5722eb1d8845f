/**
 * Works on the items one after the other: one that fails stops none of the others, unless its failure says that they
 * would fail, too. At the end the first failure is thrown.
 */
export async function inTurn<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  stopsAll: (error: unknown) => boolean = () => false,
): Promise<void> {
  let failure: { error: unknown } | undefined;
  for (const item of items) {
    try {
      await work(item);
    } catch (error) {
      if (stopsAll(error)) throw error;
      failure ??= { error };
    }
  }
  if (failure) throw failure.error;
}
