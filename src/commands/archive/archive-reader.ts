import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { jsonMembers } from '../../core/domain/json-text';
import { UsageError } from '../exit-code';
import { ArchiveContents } from './archive-contents';
import { FORMAT, type ArchiveEnd, type ArchiveHeader, type LineKind } from './archive-format';

/** A line of an archive. */
export interface ArchiveLine {
  /** Undefined if it cannot be read: it was cut off, or is something else. */
  readonly kind?: LineKind;
  /** The JSON text behind the kind. */
  readonly text: string;
  /** With its end. */
  readonly line: string;
}

const KINDS: readonly string[] = ['dossier', 'task', 'attachment', 'end'] satisfies LineKind[];
const NEWLINE = 0x0a;
/** Far more than an attachment may have, and little enough to be held. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** Throws what the file system says, and for a line that no archive has. */
export async function* readLines(path: string): AsyncGenerator<ArchiveLine, void> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      yield archiveLine(Buffer.concat([...rest, chunk.subarray(from, end + 1)]).toString());
      [rest, restBytes, from] = [[], 0, end + 1];
    }
    rest.push(chunk.subarray(from));
    restBytes += chunk.length - from;
    if (restBytes > MAX_LINE_BYTES) throw new Error(`${path} has a line of more than ${MAX_LINE_BYTES} bytes`);
  }
  if (restBytes > 0) yield { text: '', line: Buffer.concat(rest).toString() };
}

/** An archive that is whole. */
export interface CheckedArchive extends ArchiveHeader {
  /** For tasks and attachments. */
  readonly lineCount: number;
  readonly sha256: string;
}

/**
 * Reads an archive to its end, before anything of it is used. Throws if it is not whole: then it was cut off, or
 * changed; and `UsageError` for what can be read only once.
 */
export async function checkArchive(path: string): Promise<CheckedArchive> {
  if (!statSync(path).isFile()) throw new UsageError(`${path} is no regular file: an archive is read twice`);
  const hash = createHash('sha256');
  const contents = new ArchiveContents();
  let header: ArchiveHeader | undefined;
  let end: ArchiveEnd | undefined;
  let lineCount = -1;
  for await (const { kind, text, line } of readLines(path)) {
    if (end) throw new Error(`${path} goes on behind its end`);
    if (kind === undefined) throw new Error(`${path} is no archive, or is cut off, in line ${lineCount + 2}`);
    if (header === undefined) header = headerIn(path, kind, text);
    else if (kind === 'dossier') throw new Error(`${path} has a second header, in line ${lineCount + 2}`);
    if (kind === 'end') end = JSON.parse(text) as ArchiveEnd;
    else hash.update(line);
    contents.add(kind, text);
    lineCount += 1;
  }
  if (!header || !end) throw new Error(`${path} is cut off: it has no end`);
  if (end.sha256 !== hash.digest('hex')) throw new Error(`${path} was changed: its checksum is wrong`);
  const { tasks, attachments } = contents.counts;
  if (end.tasks !== tasks || end.attachments !== attachments) {
    throw new Error(
      `${path} was changed: it holds ${tasks} tasks and ${attachments} attachments, its end says otherwise`,
    );
  }
  return { ...header, lineCount: lineCount - 1, sha256: end.sha256 };
}

/** The lines of an archive that was checked. Throws at their end if they are others now. */
export async function* readAgain(path: string, { sha256 }: CheckedArchive): AsyncGenerator<ArchiveLine, void> {
  const hash = createHash('sha256');
  for await (const line of readLines(path)) {
    if (line.kind !== 'end') hash.update(line.line);
    yield line;
  }
  if (hash.digest('hex') !== sha256) throw new Error(`${path} was changed since it was checked`);
}

function headerIn(path: string, kind: LineKind, text: string): ArchiveHeader {
  const header = kind === 'dossier' ? (JSON.parse(text) as ArchiveHeader) : undefined;
  if (header?.format === FORMAT) return header;
  throw new Error(header ? `${path} has the format ${header.format}, of another release` : `${path} is no archive`);
}

function archiveLine(line: string): ArchiveLine {
  try {
    const [[kind, value] = [], ...more] = Object.entries(JSON.parse(line) as Record<string, unknown>);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (kind === undefined || !KINDS.includes(kind) || !isObject || more.length > 0) return { text: '', line };
    return { kind: kind as LineKind, text: jsonMembers(line).get(kind) as string, line };
  } catch {
    return { text: '', line };
  }
}
