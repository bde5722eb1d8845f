import { Logger, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandModule } from '../app/command.module';
import type { Config } from '../app/config';
import { openDatabase } from '../app/open-database';
import { textOfStanding } from '../app/report-standings';
import { ProjectChanges } from '../core/use-cases/upkeep/project-changes';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { RedisConnection } from '../outbound/redis/redis-connection';

const REDIS_TIMEOUT_MS = 2000;

type Work<T> = (context: INestApplicationContext) => Promise<T>;

/**
 * As `withUseCases`, for a command that writes beside replicas: the cache must be that of this database, and be told.
 */
export function withStores<T>(config: Config, work: Work<T>): Promise<T> {
  return withUseCases(config, async (context) => {
    const project = context.get(ProjectChanges);
    await project.execute();
    if (project.standing !== 'home') throw new Error(textOfStanding(project.standing));
    return work(context);
  });
}

/** Every use case, when both stores can be reached. Publishes no events: a replica does. */
export async function withUseCases<T>(config: Config, work: Work<T>): Promise<T> {
  Logger.overrideLogger(false);
  const module = CommandModule.register(config, await openDatabase(config));
  const context = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
  try {
    await context.get(PostgresConnection).migrate(config.migrates);
    // A cache that is not told would go on answering with what was there before.
    if (config.redis) await context.get(RedisConnection).waitUntilReady(REDIS_TIMEOUT_MS);
    return await work(context);
  } finally {
    await context.close();
  }
}
