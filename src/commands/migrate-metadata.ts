import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { loadConfig } from '../app/config';
import { openDatabase } from '../app/open-database';
import { UseCasesModule } from '../app/use-cases.module';
import { ConvertRetiredData } from '../core/use-cases/upkeep/convert-retired-data';
import { ProjectChanges } from '../core/use-cases/upkeep/project-changes';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { RedisConnection } from '../outbound/redis/redis-connection';
import { EXIT } from './exit-code';
import { print, type OutputOptions } from './output';

const REDIS_TIMEOUT_MS = 2000;

export async function migrateMetadata(options: OutputOptions): Promise<void> {
  const config = loadConfig();
  Logger.overrideLogger(false);
  // The command publishes no events.
  const module = UseCasesModule.register({ ...config, nats: undefined }, await openDatabase(config));
  const context = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
  try {
    await context.get(PostgresConnection).migrate(config.migrates);
    // A cache that is not told would go on answering without the new attachments.
    if (config.redis) await context.get(RedisConnection).waitUntilReady(REDIS_TIMEOUT_MS);
    const project = context.get(ProjectChanges);
    await project.execute();
    if (project.standing !== 'home') throw new Error('Redis belongs to another database');
    await convertAll(context.get(ConvertRetiredData), options);
  } finally {
    await context.close();
  }
}

async function convertAll(conversion: ConvertRetiredData, options: OutputOptions): Promise<void> {
  let converted = 0;
  let afterId: string | undefined;
  do {
    const batch = await conversion.execute(afterId);
    converted += batch.converted;
    afterId = batch.lastId;
    // As JSON, because the names of the members are whatever a client has sent.
    for (const unconverted of batch.unconverted) process.stderr.write(`${JSON.stringify(unconverted)}\n`);
    if (batch.unconverted.length > 0) process.exitCode = EXIT.failed;
  } while (afterId !== undefined);
  print(options, { converted }, `converted tasks: ${converted}`);
}
