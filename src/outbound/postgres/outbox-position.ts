/**
 * How far a reader of the outbox has come, in one epoch of the database: snapshots of another one mean nothing. A late
 * commit cannot slip behind it: everything that the snapshot `seen` shows has been read, and what it does not show has
 * a `seq` above `low`. Snapshots have the text form of `pg_snapshot`: `xmin:xmax:` and the transactions between them
 * that were in progress.
 */
export interface OutboxPosition {
  /** A UUID. */
  readonly epoch: string;
  readonly seen: string;
  readonly low: number;
  /** The highest `seq` of all that `seen` shows. */
  readonly last: number;
  /** When all transactions below `xid` have ended, `seq` becomes the next `low`. */
  readonly fence?: { readonly xid: bigint; readonly seq: number };
  /** Of what `until` shows in addition, all up to `seq` has been read, too; `last` belongs to `until`. */
  readonly within?: { readonly until: string; readonly last: number; readonly seq: number };
}

const SNAPSHOT = /^(\d{1,18}):(\d{1,18}):((?:\d{1,18}(?:,\d{1,18})*)?)$/;
const SEQ = /^\d{1,15}$/;
const XID = /^\d{1,18}$/;
/** 16 bytes as text. */
const EPOCH = /^[\w-]{22}$/;
/** Comes first in the text, so that another form of it can be told apart. */
const FORM = '2';
/** Shows nothing. */
const BEGINNING = '1:1:';
const NOTHING = '-';

/**
 * The position when all is read that the snapshot `until` shows. Rows get their `seq` after their transaction has its
 * number: what a transaction that began after a snapshot writes lies above every `seq` that was there before it.
 */
export function positionAt(until: string, last: number, before: OutboxPosition): OutboxPosition {
  const { epoch, fence, low } = before;
  const isPassed = fence !== undefined && xmin(until) >= fence.xid;
  return {
    epoch,
    seen: until,
    last,
    low: isPassed ? Math.max(low, fence.seq) : low,
    fence: fence && !isPassed ? fence : { xid: xmax(until), seq: before.last },
  };
}

/** The position at which nothing of the epoch is read whose first row is the one after `low`. */
export function beginningOf(epoch: string, low: number): OutboxPosition {
  return { epoch, seen: BEGINNING, low, last: low };
}

export function printPosition({ epoch, seen, low, last, fence, within }: OutboxPosition): string {
  const ofFence = fence ? [fence.xid, fence.seq] : [NOTHING, NOTHING];
  const ofPage = within ? [within.until, within.last, within.seq] : [];
  return [FORM, shortOf(epoch), seen, low, last, ...ofFence, ...ofPage].join('/');
}

/** Undefined if the text is not a position. */
export function parsePosition(text: string): OutboxPosition | undefined {
  const [form, epoch = '', seen = '', low = '', last = '', xid = '', fenceSeq = '', ...ofPage] = text.split('/');
  if (form !== FORM || !EPOCH.test(epoch) || !isSnapshot(seen) || !SEQ.test(low) || !SEQ.test(last)) return undefined;
  const hasFence = XID.test(xid) && SEQ.test(fenceSeq);
  if (!hasFence && (xid !== NOTHING || fenceSeq !== NOTHING)) return undefined;
  const fence = hasFence ? { xid: BigInt(xid), seq: Number(fenceSeq) } : undefined;
  const position = { epoch: uuidOf(epoch), seen, low: Number(low), last: Number(last), fence };
  if (ofPage.length === 0) return position;
  const [until = '', untilLast = '', seq = '', ...rest] = ofPage;
  if (!isSnapshot(until) || !SEQ.test(untilLast) || !SEQ.test(seq) || rest.length > 0) return undefined;
  return { ...position, within: { until, last: Number(untilLast), seq: Number(seq) } };
}

/** Whether a database whose present is the snapshot `now` can have printed the snapshot. */
export function isPast(snapshot: string, now: string): boolean {
  return xmax(snapshot) <= xmax(now);
}

function shortOf(uuid: string): string {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url');
}

function uuidOf(short: string): string {
  const digits = Buffer.from(short, 'base64url').toString('hex');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function xmin(snapshot: string): bigint {
  return BigInt(snapshot.split(':')[0] as string);
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
