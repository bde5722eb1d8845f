/**
 * An archive is JSON lines. Each line is an object with one member: `dossier` (the header), `task` and `attachment` (as
 * `task.get` and `task.get_attachment` return them), and `end`, with the checksum of all bytes before it.
 * A parent stands before its sub-tasks, a task before its attachments. Of two lines for one attachment the newer one
 * counts.
 */
export const FORMAT = 1;

export interface ArchiveHeader {
  readonly format: number;
  /** The id of the task that was exported, with all its sub-tasks. */
  readonly root: string;
  /** ISO 8601. */
  readonly exportedAt: string;
}

export interface ArchiveEnd {
  readonly tasks: number;
  readonly attachments: number;
  /** In lower-case hex. */
  readonly sha256: string;
}

export type LineKind = 'dossier' | 'task' | 'attachment' | 'end';

/** `text` is JSON. */
export function lineOf(kind: LineKind, text: string): string {
  return `{"${kind}":${text}}\n`;
}
