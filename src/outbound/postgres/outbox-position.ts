/**
 * How far a reader of the outbox has come. A late commit cannot slip behind it: everything that the snapshot `seen`
 * shows has been read. Within a page that was not read to its end, so has what `until` shows, as far as `seq`.
 */
export interface OutboxPosition {
  /** In the text form of `pg_snapshot`: `xmin:xmax:` and the transactions between them that were in progress. */
  readonly seen: string;
  readonly within?: { readonly until: string; readonly seq: number };
}

const SNAPSHOT = /^(\d{1,18}):(\d{1,18}):((?:\d{1,18}(?:,\d{1,18})*)?)$/;
const SEQ = /^\d{1,15}$/;

export function printPosition({ seen, within }: OutboxPosition): string {
  return within ? `${seen}/${within.until}/${within.seq}` : seen;
}

/** Undefined if the text is not a position. */
export function parsePosition(text: string): OutboxPosition | undefined {
  const [seen = '', until, seq, ...rest] = text.split('/');
  if (!isSnapshot(seen) || rest.length > 0) return undefined;
  if (until === undefined) return { seen };
  if (!isSnapshot(until) || seq === undefined || !SEQ.test(seq)) return undefined;
  return { seen, within: { until, seq: Number(seq) } };
}

/** Whether a database whose present is the snapshot `now` can have printed the snapshot. */
export function isPast(snapshot: string, now: string): boolean {
  return xmax(snapshot) <= xmax(now);
}

function xmax(snapshot: string): bigint {
  return BigInt(snapshot.split(':')[1] as string);
}

/** As strict as PostgreSQL, which would refuse the whole statement over it. */
function isSnapshot(text: string): boolean {
  const [, first, end, list] = SNAPSHOT.exec(text) ?? [];
  if (first === undefined || end === undefined || list === undefined) return false;
  const [xmin, xmax] = [BigInt(first), BigInt(end)];
  const running = list === '' ? [] : list.split(',').map(BigInt);
  return xmin > 0n && xmin <= xmax && running.every((xid, i) => xid >= (running[i - 1] ?? xmin) && xid < xmax);
}
