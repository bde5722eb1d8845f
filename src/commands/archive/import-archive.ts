import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { loadConfig } from '../../app/config';
import { openDatabase } from '../../app/open-database';
import { UseCasesModule } from '../../app/use-cases.module';
import { ImportAttachment } from '../../core/use-cases/upkeep/import-attachment';
import { ImportTask } from '../../core/use-cases/upkeep/import-task';
import { ProjectChanges } from '../../core/use-cases/upkeep/project-changes';
import { PostgresConnection } from '../../outbound/postgres/postgres-connection';
import { RedisConnection } from '../../outbound/redis/redis-connection';
import { isOrganizationName } from '../../inbound/auth/printable-name';
import { EXIT, UsageError } from '../exit-code';
import { print, type OutputOptions } from '../output';
import { checkArchive, readLines } from './archive-reader';
import { Pace } from './pace';
import { showProgress } from './progress';
import { TaskImport, type ImportCounts, type ImportSettings } from './task-import';

export interface ImportOptions extends OutputOptions {
  readonly organization?: string;
  readonly withoutParent?: boolean;
  /** Tasks and attachments in a second. */
  readonly rate: number;
}

const REDIS_TIMEOUT_MS = 2000;

/** The archive is read to its end first: nothing of one that is cut off or changed is imported. */
export async function importArchive(path: string, options: ImportOptions): Promise<void> {
  const { organization, withoutParent, rate } = options;
  if (organization !== undefined && !isOrganizationName(organization)) {
    throw new UsageError('--organization cannot be used: it must be printable');
  }
  const { root, lineCount } = await checkArchive(path);
  const config = loadConfig();
  const settings = {
    organization,
    withoutParent: withoutParent ? root : undefined,
    maxAttachmentBytes: config.maxAttachmentBytes,
  };
  const counts = await withStores(config, (stores) => importLines(path, lineCount, stores, settings, new Pace(rate)));
  print(options, counts, textOf(counts));
  if (counts.refused > 0) process.exitCode = EXIT.refused;
}

interface Stores {
  readonly importTask: ImportTask;
  readonly importAttachment: ImportAttachment;
}

async function withStores<T>(config: ReturnType<typeof loadConfig>, work: (stores: Stores) => Promise<T>): Promise<T> {
  Logger.overrideLogger(false);
  // The command publishes no events: a replica does.
  const module = UseCasesModule.register({ ...config, nats: undefined }, await openDatabase(config));
  const context = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
  try {
    await context.get(PostgresConnection).migrate(config.migrates);
    // A cache that is not told would go on answering without what is imported.
    if (config.redis) await context.get(RedisConnection).waitUntilReady(REDIS_TIMEOUT_MS);
    const project = context.get(ProjectChanges);
    await project.execute();
    if (project.standing !== 'home') throw new Error('Redis belongs to another database');
    return await work({ importTask: context.get(ImportTask), importAttachment: context.get(ImportAttachment) });
  } finally {
    await context.close();
  }
}

async function importLines(
  path: string,
  lineCount: number,
  { importTask, importAttachment }: Stores,
  settings: ImportSettings,
  pace: Pace,
): Promise<ImportCounts> {
  const progress = showProgress('import');
  const refusals = (name: string, reason: string) => process.stderr.write(`${name}: ${reason}\n`);
  const work = new TaskImport(importTask, importAttachment, settings, refusals);
  let done = 0;
  try {
    for await (const line of readLines(path)) {
      if (line.kind !== 'task' && line.kind !== 'attachment') continue;
      await pace.turn();
      await work.take(line);
      progress.set(++done, lineCount);
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
