/** Of any version: what it has is shown, whatever it is. */
export type Status = Readonly<Record<string, unknown>>;

/** What must be the same for all replicas, as the beginning of a path. */
const SHARED = ['version', 'settings.', 'database.', 'cache.owners'];

/** A line for each value, under its path. */
export function linesOf(status: Status): readonly string[] {
  return valuesIn(status).map(([path, value]) => `${path}: ${value}`);
}

/** For each shared setting that differs, its value at each replica. */
export function differences(
  replicas: readonly { readonly url: string; readonly status: Status }[],
): Readonly<Record<string, readonly string[]>> {
  const values = replicas.map(({ url, status }) => ({ url, byPath: new Map(valuesIn(status)) }));
  const paths = new Set(values.flatMap(({ byPath }) => [...byPath.keys()]));
  const shared = [...paths].filter((path) => SHARED.some((beginning) => path.startsWith(beginning)));
  const at = (path: string) => values.map(({ byPath }) => byPath.get(path) ?? 'unknown');
  const differing = shared.filter((path) => new Set(at(path)).size > 1);
  return Object.fromEntries(
    differing.map((path) => [path, at(path).map((value, i) => `${value} at ${values[i]?.url}`)]),
  );
}

function valuesIn(value: unknown, path = ''): readonly (readonly [path: string, value: string])[] {
  if (typeof value !== 'object' || value === null) return [[path, textOf(value)]];
  const members = Object.entries(value);
  if (members.length === 0) return [[path, 'none']];
  return members.flatMap(([name, member]) => valuesIn(member, path === '' ? name : `${path}.${name}`));
}

function textOf(value: unknown): string {
  if (value === null) return 'unknown';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  // Whatever it is: it must not command the terminal.
  return (typeof value === 'string' ? value : JSON.stringify(value)).replaceAll(/\p{Cc}/gu, '?');
}
