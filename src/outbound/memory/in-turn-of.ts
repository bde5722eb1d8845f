/** The first of each owner, then the second of each, and so on; each time in the order of the items. */
export function inTurnOf<T>(items: readonly T[], ownerOf: (item: T) => string): T[] {
  const before = new Map<string, number>();
  const inTurn = items.map((item) => {
    const owner = ownerOf(item);
    const turn = before.get(owner) ?? 0;
    before.set(owner, turn + 1);
    return { turn, item };
  });
  return inTurn.sort((a, b) => a.turn - b.turn).map(({ item }) => item);
}
