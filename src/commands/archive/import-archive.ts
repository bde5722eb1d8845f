import type { INestApplicationContext } from '@nestjs/common';
import { loadConfig } from '../../app/config';
import { Clock } from '../../core/ports/clock';
import { ImportAttachment } from '../../core/use-cases/upkeep/import-attachment';
import { ImportTask } from '../../core/use-cases/upkeep/import-task';
import { isOrganizationName } from '../../inbound/auth/printable-name';
import { EXIT, UsageError } from '../exit-code';
import { print, type OutputOptions } from '../output';
import { withStores } from '../with-stores';
import { checkArchive, readAgain, type CheckedArchive } from './archive-reader';
import { Pace } from './pace';
import { showProgress } from './progress';
import { TaskImport, type ImportCounts, type ImportSettings } from './task-import';

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
  const work = (context: INestApplicationContext) =>
    importLines(path, archive, context, settings, new Pace(rate, context.get(Clock)));
  const counts = await withStores(config, work);
  print(options, counts, textOf(counts));
  if (counts.refused > 0) process.exitCode = EXIT.refused;
}

async function importLines(
  path: string,
  archive: CheckedArchive,
  context: INestApplicationContext,
  settings: ImportSettings,
  pace: Pace,
): Promise<ImportCounts> {
  const progress = showProgress('import');
  const refusals = (name: string, reason: string) => process.stderr.write(`${name}: ${reason}\n`);
  const work = new TaskImport(context.get(ImportTask), context.get(ImportAttachment), settings, refusals);
  let done = 0;
  try {
    for await (const line of readAgain(path, archive)) {
      if (line.kind !== 'task' && line.kind !== 'attachment') continue;
      await pace.turn();
      await work.take(line);
      progress.set(++done, archive.lineCount);
    }
  } finally {
    progress.stop();
  }
  return work.counts;
}

function textOf({ tasks, attachments, present, overtaken, expired, refused }: ImportCounts): string {
  const others = Object.entries({ 'there already': present, 'newer there': overtaken, expired, refused });
  const more = others.filter(([, count]) => count > 0).map(([what, count]) => `, ${what}: ${count}`);
  return `imported ${tasks} tasks and ${attachments} attachments${more.join('')}`;
}
