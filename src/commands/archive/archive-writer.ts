import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, truncateSync, writeSync } from 'node:fs';
import type { AttachmentRef } from '../../core/domain/attachment';
import { ArchiveContents } from './archive-contents';
import { FORMAT, lineOf, type ArchiveEnd, type ArchiveHeader, type LineKind } from './archive-format';
import { readLines } from './archive-reader';

/** Where an archive is written to. Nothing of it can be used until `finish`. */
export class ArchiveWriter {
  private readonly hash = createHash('sha256');
  private readonly contents = new ArchiveContents();

  private constructor(
    private readonly write: (text: string) => Promise<void> | void,
    private readonly close: (isComplete: boolean) => void,
  ) {}

  static async onStandardOutput(root: string): Promise<ArchiveWriter> {
    const write = async (text: string) => void (process.stdout.write(text) || (await once(process.stdout, 'drain')));
    const writer = new ArchiveWriter(write, () => undefined);
    await writer.begin(root);
    return writer;
  }

  /**
   * Writes to `FILE.part`, which becomes `FILE` when it is complete. `resume` continues an archive of the same task
   * that was interrupted. Throws if something is in the way.
   */
  static async inFile(path: string, root: string, resume: boolean): Promise<ArchiveWriter> {
    const part = `${path}.part`;
    if (existsSync(path)) throw new Error(`${path} is there already`);
    const isContinued = existsSync(part);
    if (isContinued && !resume) throw new Error(`${part} is there already: --resume continues it`);
    const file = openSync(part, 'a');
    const close = (isComplete: boolean) => {
      if (isComplete) fsyncSync(file);
      closeSync(file);
      if (isComplete) renameSync(part, path);
      else rmSync(part);
    };
    const writer = new ArchiveWriter((text) => writeWhole(file, text), close);
    if (isContinued) await writer.continue(part, root);
    else await writer.begin(root);
    return writer;
  }

  /** How many tasks and attachments it holds. */
  get counts() {
    return this.contents.counts;
  }

  /** A task that it holds stays as it was: its sub-tasks may follow already. */
  async addTask(id: string, text: string): Promise<void> {
    if (!this.contents.hasTask(id)) await this.add('task', text);
  }

  async addAttachment(text: string): Promise<void> {
    await this.add('attachment', text);
  }

  hasAttachment(ref: AttachmentRef, version: number): boolean {
    return this.contents.hasAttachment(ref, version);
  }

  async finish(): Promise<ArchiveEnd> {
    const end: ArchiveEnd = { ...this.counts, sha256: this.hash.copy().digest('hex') };
    await this.write(lineOf('end', JSON.stringify(end)));
    this.close(true);
    return end;
  }

  /** Removes it, if nothing is in it yet: otherwise it can be continued. */
  giveUp(): void {
    if (this.counts.tasks === 0) this.close(false);
  }

  private begin(root: string): Promise<void> {
    return this.add('dossier', JSON.stringify({ format: FORMAT, root, exportedAt: new Date().toISOString() }));
  }

  private async add(kind: LineKind, text: string): Promise<void> {
    const line = lineOf(kind, text);
    await this.write(line);
    this.hash.update(line);
    this.contents.add(kind, text);
  }

  /** A line that was cut off is removed. */
  private async continue(part: string, root: string): Promise<void> {
    let sizeBytes = 0;
    for await (const { kind, text, line } of readLines(part)) {
      if (kind === undefined || kind === 'end') break;
      if (sizeBytes === 0 && !isHeaderOf(root, kind, text)) throw new Error(`${part} is no archive of ${root}`);
      sizeBytes += Buffer.byteLength(line);
      this.hash.update(line);
      this.contents.add(kind, text);
    }
    truncateSync(part, sizeBytes);
    if (sizeBytes === 0) await this.begin(root);
  }
}

function isHeaderOf(root: string, kind: LineKind, text: string): boolean {
  if (kind !== 'dossier') return false;
  const header = JSON.parse(text) as Partial<ArchiveHeader>;
  return header.format === FORMAT && header.root === root;
}

function writeWhole(file: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}
