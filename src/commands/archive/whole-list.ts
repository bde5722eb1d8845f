import { CommandError, EXIT } from '../exit-code';

export interface ListPage<T> {
  readonly elements: readonly T[];
  readonly hasMore: boolean;
}

/** A list that changes so often is not read by beginning again. */
const MAX_BEGINNINGS = 10;

/**
 * A list that is read page by page, while elements may be added at its end and removed anywhere. Each page begins with
 * the last element of the page before: if it is another one, elements have moved up, and one may have been passed over.
 * Then the list is read again. Throws `CommandError` if that goes on.
 */
export async function wholeList<T>(
  page: (offset: number) => Promise<ListPage<T>>,
  isSame: (a: T, b: T) => boolean,
): Promise<readonly T[]> {
  for (let beginning = 1; beginning <= MAX_BEGINNINGS; beginning++) {
    const all = await readOnce(page, isSame);
    if (all) return all;
  }
  throw new CommandError('what is exported changes too fast: try again later', EXIT.unavailable);
}

/** Undefined if something has moved. */
async function readOnce<T>(
  page: (offset: number) => Promise<ListPage<T>>,
  isSame: (a: T, b: T) => boolean,
): Promise<readonly T[] | undefined> {
  const all: T[] = [];
  for (let hasMore = true; hasMore;) {
    const last = all.at(-1);
    const next = await page(last === undefined ? 0 : all.length - 1);
    const [first, ...others] = next.elements;
    if (last !== undefined && (first === undefined || !isSame(first, last))) return undefined;
    all.push(...(last === undefined ? next.elements : others));
    ({ hasMore } = next);
  }
  return all;
}
