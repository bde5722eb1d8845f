import { distance } from 'fastest-levenshtein';

const MAX_NAME_LENGTH = 40;
const MAX_EDITS = 2;

/** The name that `given` was probably meant to be: misspelt, spelt in another case, or only a part of it. */
export function nearName(given: string, names: Iterable<string>): string | undefined {
  if (given.length < 2 || given.length > MAX_NAME_LENGTH) return undefined;
  const plain = plainForm(given);
  let nearest: string | undefined;
  let fewest = MAX_EDITS + 1;
  for (const name of names) {
    const known = plainForm(name);
    if (known === plain) return name;
    const edits = isPartOf(plain, known) ? MAX_EDITS : editsBetween(plain, known);
    if (edits >= fewest) continue;
    nearest = name;
    fewest = edits;
  }
  return nearest;
}

function plainForm(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '');
}

function isPartOf(part: string, whole: string): boolean {
  return part.length > 1 && (whole.startsWith(part) || whole.endsWith(part));
}

/** How many characters are inserted, removed or replaced. Too many if less than half of a name is right. */
function editsBetween(a: string, b: string): number {
  const edits = distance(a, b);
  return 2 * edits <= Math.min(a.length, b.length) ? edits : MAX_EDITS + 1;
}
