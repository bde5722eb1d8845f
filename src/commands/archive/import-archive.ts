import type { INestApplicationContext } from '@nestjs/common';
import { loadConfig } from '../../app/config';
import { Clock } from '../../core/ports/clock';
import { ImportAttachment } from '../../core/use-cases/upkeep/import-attachment';
import { ImportTask } from '../../core/use-cases/upkeep/import-task';
import { isOrganizationName } from '../../inbound/auth/printable-name';
import { EXIT, UsageError } from '../exit-code';
import { print, type OutputOptions } from '../output';
import { withStores } from '../with-stores';
import { checkArchive, readAgain } from './archive-reader';
import { importLines, textOf } from './import-lines';
import { Pace } from './pace';
import { TaskImport, type ImportCounts } from './task-import';

export interface ImportOptions extends OutputOptions {
  readonly organization?: string;
  readonly withoutParent?: boolean;
  /** Tasks and attachments in a second. */
  readonly rate: number;
}

/** The archive is read to its end first: nothing of one that is cut off or changed is imported. */
export async function importArchive(path: string, options: ImportOptions): Promise<void> {
  const { organization, withoutParent, rate } = options;
  if (organization !== undefined && !isOrganizationName(organization)) {
    throw new UsageError('--organization cannot be used: it must be printable');
  }
  const archive = await checkArchive(path);
  const config = loadConfig();
  const settings = {
    organization,
    withoutParent: withoutParent ? archive.root : undefined,
    maxAttachmentBytes: config.maxAttachmentBytes,
  };
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const importAll = async (context: INestApplicationContext): Promise<ImportCounts> => {
    const refused = (name: string, reason: string) => say(`${name}: ${reason}`);
    const work = new TaskImport(context.get(ImportTask), context.get(ImportAttachment), settings, refused);
    await importLines(readAgain(path, archive), archive.lineCount, work, new Pace(rate, context.get(Clock)), say);
    return work.counts;
  };
  const counts = await withStores(config, importAll);
  print(options, counts, textOf(counts));
  if (counts.refused > 0) process.exitCode = EXIT.refused;
}
